-- Security events, in a chain: each entry's hash covers its own content and the hash of the one before. What exactly is
-- hashed is told in docs/audit.md. Nothing refers to other tables: an entry outlives what it is about.
CREATE TABLE audit_log (
    seq         bigint PRIMARY KEY CHECK (seq > 0),             -- 1, 2, 3 …, without gaps
    event_id    uuid NOT NULL UNIQUE,                           -- an event that is told twice is one entry
    occurred_at timestamptz NOT NULL,
    action      text NOT NULL,
    outcome     text NOT NULL CHECK (outcome IN ('success', 'failure', 'denied')),
    actor_kind  text NOT NULL,
    actor_id    uuid,
    target_kind text,
    target_id   text,
    project_id  uuid,
    address     text,
    user_agent  text,
    request_id  text,
    details     text NOT NULL CHECK (json_typeof(details::json) = 'object'), -- text: the hash is of these very bytes
    prev_hash   bytea NOT NULL CHECK (octet_length(prev_hash) = 32),
    hash        bytea NOT NULL CHECK (octet_length(hash) = 32)
);
CREATE INDEX audit_log_by_project ON audit_log (project_id, seq) WHERE project_id IS NOT NULL;
CREATE INDEX audit_log_by_actor ON audit_log (actor_id, seq) WHERE actor_id IS NOT NULL;
CREATE INDEX audit_log_by_target ON audit_log (target_id, seq) WHERE target_id IS NOT NULL;
CREATE INDEX audit_log_by_action ON audit_log (action, seq);
CREATE INDEX audit_log_by_time ON audit_log (occurred_at);

CREATE FUNCTION refuse_to_rewrite_audit_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is only ever appended to: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_log_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_rewrite_audit_log();
-- Also where session_replication_role is replica, which switches other triggers off.
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_is_append_only;
