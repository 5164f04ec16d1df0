-- Events per quarter of an hour. Additive: written only for rows that were really inserted, in their transaction.
CREATE TABLE event_counts (
    project_id uuid NOT NULL,
    bucket     timestamptz NOT NULL,
    event_type text NOT NULL,
    count      bigint NOT NULL,
    PRIMARY KEY (project_id, bucket, event_type)
) WITH (fillfactor = 70);

-- Who was active: per local day of the project and event type ('' for any) a set of user numbers in the portable
-- Roaring format. A set is the union of its parts. Part 0 is the compacted one; every batch appends others, so that
-- workers never wait for each other here.
CREATE SEQUENCE activity_part AS bigint;
CREATE TABLE activity (
    project_id uuid NOT NULL,
    event_type text NOT NULL,
    day        date NOT NULL,
    part       bigint NOT NULL DEFAULT nextval('activity_part'),
    users      bytea NOT NULL,
    PRIMARY KEY (project_id, event_type, day, part)
);
-- A bitmap is compressed already.
ALTER TABLE activity ALTER COLUMN users SET STORAGE EXTERNAL;
CREATE INDEX activity_to_compact ON activity (project_id, event_type, day) WHERE part > 0;
