-- What a project may ask in SQL: its own events and users, and nothing else. The login that asks can see this schema alone
-- (`millrace admin migrate` makes it).
CREATE SCHEMA project_sql;

-- Signs tickets.
CREATE TABLE sql_secret (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    key      bytea NOT NULL
);
INSERT INTO sql_secret (key) SELECT sha256(convert_to(gen_random_uuid()::text || gen_random_uuid() || gen_random_uuid(), 'UTF8'));

-- A ticket for a project's data. Only whoever may read the secret can make one.
CREATE FUNCTION project_sql.ticket(project uuid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT project || '.' || encode(sha256(key || sha256(key || convert_to(project::text, 'UTF8'))), 'hex')
        FROM public.sql_secret);

-- The project that the session shows a good ticket for. A setting can be changed by any statement; a ticket cannot be
-- made by it.
CREATE FUNCTION project_sql.project() RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
RETURN (SELECT CASE WHEN shown.ticket = project_sql.ticket(shown.project) THEN shown.project END
        FROM (SELECT ticket, CASE WHEN ticket ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.' THEN left(ticket, 36)::uuid END AS project
              FROM (SELECT current_setting('millrace.ticket', true) AS ticket) setting) shown);

REVOKE ALL ON FUNCTION project_sql.ticket(uuid), project_sql.project() FROM PUBLIC;

-- Barriers: no condition of a statement sees a row before the view's own has let it pass, unless it cannot tell.
CREATE VIEW project_sql.events WITH (security_barrier) AS
SELECT event_id, event_type, user_id, occurred_at, received_at, session_id, properties, context
FROM public.events WHERE project_id = (SELECT project_sql.project());

CREATE VIEW project_sql.users WITH (security_barrier) AS
SELECT user_id, traits FROM public.users WHERE project_id = (SELECT project_sql.project());
