DROP TABLE audit_log;
DROP FUNCTION refuse_to_rewrite_audit_log();
