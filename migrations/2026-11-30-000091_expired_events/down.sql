ALTER TABLE projects DROP COLUMN expiries;
