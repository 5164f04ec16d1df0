ALTER TABLE mails ADD COLUMN alert_event_id uuid REFERENCES alert_events ON DELETE CASCADE; -- what it tells of
ALTER TABLE mails DROP CONSTRAINT mails_kind_check;
ALTER TABLE mails ADD CONSTRAINT mails_kind_check CHECK (kind IN ('verify', 'reset', 'change', 'changed', 'alert'));
ALTER TABLE mails DROP CONSTRAINT mails_once;
ALTER TABLE mails ADD CONSTRAINT mails_once UNIQUE NULLS NOT DISTINCT (kind, address, account_id, alert_event_id);
