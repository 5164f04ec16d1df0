DELETE FROM mails WHERE kind = 'alert';
ALTER TABLE mails DROP CONSTRAINT mails_once;
ALTER TABLE mails ADD CONSTRAINT mails_once UNIQUE NULLS NOT DISTINCT (kind, address, account_id);
ALTER TABLE mails DROP CONSTRAINT mails_kind_check;
ALTER TABLE mails ADD CONSTRAINT mails_kind_check CHECK (kind IN ('verify', 'reset', 'change', 'changed'));
ALTER TABLE mails DROP COLUMN alert_event_id;
