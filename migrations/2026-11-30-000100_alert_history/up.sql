-- What is forgotten is found by its age.
CREATE INDEX alert_events_by_age ON alert_events (occurred_at);
CREATE INDEX dashboard_shares_by_end ON dashboard_shares (expires_at) WHERE expires_at IS NOT NULL;
