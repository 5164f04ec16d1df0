-- What a rebuild of roll-ups has found so far. Nothing of it counts before all of it does.
CREATE TABLE rebuilds (
    job_id     uuid PRIMARY KEY REFERENCES jobs ON DELETE CASCADE,
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE
);
CREATE INDEX rebuilds_by_project ON rebuilds (project_id);
CREATE TABLE rebuild_counts (
    job_id     uuid NOT NULL REFERENCES rebuilds ON DELETE CASCADE,
    bucket     timestamptz NOT NULL,
    event_type text NOT NULL,
    difference bigint NOT NULL,                  -- what the count is short of
    PRIMARY KEY (job_id, bucket, event_type)
);
CREATE TABLE rebuild_sets (
    job_id     uuid NOT NULL REFERENCES rebuilds ON DELETE CASCADE,
    day        date NOT NULL,
    event_type text NOT NULL,
    doubtful   bytea NOT NULL,                   -- users of whom the set and the events do not say the same
    PRIMARY KEY (job_id, day, event_type)
);
ALTER TABLE rebuild_sets ALTER COLUMN doubtful SET STORAGE EXTERNAL;
