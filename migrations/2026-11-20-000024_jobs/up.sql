-- Work that takes longer than a request. The row decides who works on it: whoever holds it, until due_at. A message in
-- the stream JOBS only says that there is something to do.
CREATE TABLE jobs (
    id          uuid PRIMARY KEY,
    project_id  uuid REFERENCES projects ON DELETE CASCADE,    -- NULL: maintenance of all of them
    kind        text NOT NULL,
    parameters  jsonb NOT NULL,
    status      text NOT NULL DEFAULT 'pending'
                CHECK (status IN ('pending', 'running', 'succeeded', 'failed', 'cancelled')),
    created_by  uuid,                            -- an account; NULL: the system or its operator
    created_at  timestamptz NOT NULL DEFAULT now(),
    started_at  timestamptz,
    finished_at timestamptz,
    holder      uuid,                            -- of this attempt: whoever had it before cannot write any more
    due_at      timestamptz NOT NULL DEFAULT now(), -- when it may be taken; while it is held, by another
    attempts    integer NOT NULL DEFAULT 0,      -- since it last came further
    cancelling  boolean NOT NULL DEFAULT false,  -- somebody wants whoever holds it to stop
    done        bigint NOT NULL DEFAULT 0,
    total       bigint,
    checkpoint  jsonb,                           -- where the next attempt goes on; what it means is its kind's affair
    result      jsonb,
    error       text,
    slot        text UNIQUE                      -- of a schedule: replicas that schedule the same make one job
);
CREATE INDEX jobs_due ON jobs (due_at) WHERE status IN ('pending', 'running');
CREATE INDEX jobs_by_project ON jobs (project_id, id);
