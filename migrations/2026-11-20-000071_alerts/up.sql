-- What looks out for the numbers of insights.
CREATE TABLE alerts (
    id             uuid PRIMARY KEY,
    project_id     uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    insight_id     uuid NOT NULL REFERENCES insights ON DELETE CASCADE,
    name           text NOT NULL,
    owner_id       uuid REFERENCES accounts ON DELETE SET NULL,
    visibility     text NOT NULL CHECK (visibility IN ('private', 'project')),
    condition      jsonb NOT NULL,
    times          smallint NOT NULL CHECK (times > 0),        -- so many readings in a row decide
    every_seconds  integer NOT NULL CHECK (every_seconds > 0),
    enabled        boolean NOT NULL,
    by_mail        boolean NOT NULL,
    webhook_url    text,
    webhook_secret text,                                       -- what deliveries are signed with
    version        bigint NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL
);
CREATE INDEX alerts_by_project ON alerts (project_id, name, id);

-- What each of them read last. Beside the alert: it looks often, and that is no change of it.
CREATE TABLE alert_states (
    alert_id     uuid PRIMARY KEY REFERENCES alerts ON DELETE CASCADE,
    firing       boolean NOT NULL DEFAULT false,
    against      smallint NOT NULL DEFAULT 0,                  -- readings in a row that speak against that
    number       double precision,
    previous     double precision,
    error        text,                                         -- why there is no reading
    evaluated_at timestamptz,
    due_at       timestamptz NOT NULL DEFAULT now(),           -- while somebody looks: when another may
    holder       uuid                                          -- who looks; nothing is written without it
);
CREATE INDEX alert_states_due ON alert_states (due_at);

CREATE TABLE alert_events (
    id          uuid PRIMARY KEY,
    alert_id    uuid NOT NULL REFERENCES alerts ON DELETE CASCADE,
    kind        text NOT NULL CHECK (kind IN ('fired', 'resolved')),
    number      double precision,
    previous    double precision,
    occurred_at timestamptz NOT NULL
);
CREATE INDEX alert_events_by_alert ON alert_events (alert_id, occurred_at, id);

-- Who is to hear of it, written with the event: who is killed in between forgets nobody.
CREATE TABLE alert_deliveries (
    id         uuid PRIMARY KEY,
    event_id   uuid NOT NULL REFERENCES alert_events ON DELETE CASCADE,
    channel    text NOT NULL CHECK (channel IN ('notification', 'webhook', 'mail')),
    status     text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'dead')),
    attempts   integer NOT NULL DEFAULT 0,
    error      text,
    due_at     timestamptz NOT NULL,
    settled_at timestamptz,
    UNIQUE (event_id, channel)
);
CREATE INDEX alert_deliveries_due ON alert_deliveries (due_at) WHERE status = 'pending';
