-- Who did something when: per day in UTC and event type, the users and times of all its events, in the format of
-- crates/domain/src/analytics/posting.rs, in parts by the numbers of users. It is what the events said when their day
-- had this edition (crates/storage/src/postings.rs), and nothing without it: made by workers in the background, left
-- behind by whatever is stored later, and made anew.
CREATE TABLE postings (
    project_id uuid NOT NULL,
    event_type text NOT NULL,
    day        date NOT NULL,
    part       integer NOT NULL,                -- the number of its first block of users
    events     bigint NOT NULL,
    rows       bigint NOT NULL,
    body       bytea NOT NULL,
    PRIMARY KEY (project_id, event_type, day, part)
);
-- A body is compact already.
ALTER TABLE postings ALTER COLUMN body SET STORAGE EXTERNAL;
