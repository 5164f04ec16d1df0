-- What the properties of an event type must look like, where a project says so.
CREATE TABLE event_schemas (
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    event_type text NOT NULL,
    schema     jsonb NOT NULL,                      -- JSON Schema, draft 2020-12
    revision   uuid NOT NULL,                       -- another whenever the schema is: workers compare
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, event_type)
);
