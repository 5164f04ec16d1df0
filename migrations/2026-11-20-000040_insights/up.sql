-- Questions that people keep, and notes. Whose account is gone leaves what was shared.
CREATE TABLE insights (
    id         uuid PRIMARY KEY,
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    title      text NOT NULL,
    body       text NOT NULL,                    -- Markdown, as it was written
    query      jsonb,                            -- NULL: a note
    owner_id   uuid REFERENCES accounts ON DELETE SET NULL,
    visibility text NOT NULL CHECK (visibility IN ('private', 'project')),
    tags       text[] NOT NULL,
    version    bigint NOT NULL DEFAULT 1,        -- each change makes the next: nobody overwrites what they have not seen
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX insights_by_project ON insights (project_id, updated_at, id);
