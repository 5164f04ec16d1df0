ALTER TABLE projects DROP COLUMN zone_changes, DROP COLUMN sets_changes;
