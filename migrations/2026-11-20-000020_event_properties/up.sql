-- The properties that events of each type have had, by the JSON type of their values. What the worker has seen, within
-- some seconds; the events are the truth.
CREATE TABLE event_properties (
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    event_type text NOT NULL,
    name       text NOT NULL,
    json_type  text NOT NULL CHECK (json_type IN ('string', 'number', 'boolean', 'object', 'array')),
    first_seen timestamptz NOT NULL,
    last_seen  timestamptz NOT NULL,             -- to within a day
    PRIMARY KEY (project_id, event_type, name, json_type)
);
