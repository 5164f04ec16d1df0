-- Saved sets of users. Who belongs to one is worked out whenever it is asked for.
CREATE TABLE cohorts (
    id         uuid PRIMARY KEY,
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    name       text NOT NULL,
    definition jsonb NOT NULL,                   -- as it was written
    owner_id   uuid REFERENCES accounts ON DELETE SET NULL,
    version    bigint NOT NULL DEFAULT 1,        -- each change makes the next: nobody overwrites what they have not seen
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX cohorts_by_project ON cohorts (project_id, name, id);
