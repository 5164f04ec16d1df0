-- Activity sets are of the days of one zone. Where these differ, the project has got another zone since its sets were
-- last made: some are of the days of the one, some of the other, and nothing may be read from them.
ALTER TABLE projects
    ADD COLUMN zone_changes integer NOT NULL DEFAULT 0, -- how often it has got another zone
    ADD COLUMN sets_changes integer NOT NULL DEFAULT 0; -- how often it had when the rebuild began that made its sets
