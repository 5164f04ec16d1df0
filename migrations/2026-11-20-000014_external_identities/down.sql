DROP TABLE external_identities;
-- No password has this hash: these accounts need another one from an operator.
UPDATE accounts SET password_hash = '!' WHERE password_hash IS NULL;
ALTER TABLE accounts ALTER COLUMN password_hash SET NOT NULL;
