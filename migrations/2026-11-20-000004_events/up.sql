-- Distinct users and their dense numbers, which make a set of users a bitmap.
CREATE TABLE users (
    project_id uuid NOT NULL,
    user_id    text NOT NULL,
    user_no    integer NOT NULL,
    traits     jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (project_id, user_id)
);
CREATE UNIQUE INDEX users_by_number ON users (project_id, user_no);

-- No foreign key to projects: it would cost a look-up per event. The worker checks the project once a batch.
CREATE TABLE events (
    project_id  uuid NOT NULL,
    event_id    uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    stream_seq  bigint NOT NULL,                 -- the JetStream message that brought the row
    user_no     integer NOT NULL,
    user_id     text NOT NULL,
    event_type  text NOT NULL,
    session_id  text,
    properties  jsonb NOT NULL,
    context     jsonb
);

-- The interval for chunks to come is set from configuration whenever migrations run.
SELECT create_hypertable('events', by_range('occurred_at', INTERVAL '7 days'), create_default_indexes => false);

-- What "counted once" rests on. A hypertable's unique index must contain its time column.
CREATE UNIQUE INDEX events_identity ON events (project_id, event_id, occurred_at);
CREATE INDEX events_by_type ON events (project_id, event_type, occurred_at);
CREATE INDEX events_by_user ON events (project_id, user_no, occurred_at);
