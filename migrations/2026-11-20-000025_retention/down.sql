ALTER TABLE projects DROP COLUMN retention_days, DROP COLUMN keeps_roll_ups, DROP COLUMN events_since;
