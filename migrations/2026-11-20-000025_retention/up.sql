-- How long a project keeps its events, and whether their counts and sets stay when they go.
ALTER TABLE projects
    ADD COLUMN retention_days integer CHECK (retention_days > 0), -- NULL: for ever
    ADD COLUMN keeps_roll_ups boolean NOT NULL DEFAULT true,
    -- Events before this have gone, or are about to: the roll-ups of that time cannot be made from them any more.
    ADD COLUMN events_since timestamptz;
