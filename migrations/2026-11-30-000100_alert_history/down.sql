DROP INDEX dashboard_shares_by_end;
DROP INDEX alert_events_by_age;
