-- A sign-in and all that follows from it. Access tokens name it, and are refused once it is gone: ending a session
-- is deleting it.
CREATE TABLE sessions (
    id           uuid PRIMARY KEY,
    account_id   uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    user_agent   text,                           -- what the client called itself when it signed in
    address      text,                           -- where it was then
    created_at   timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,           -- when it was signed in or last refreshed
    expires_at   timestamptz NOT NULL            -- with its current refresh token
);
CREATE INDEX sessions_by_account ON sessions (account_id, last_used_at);

-- The refresh tokens of a session, the replaced ones included: whoever shows one of those has stolen it, or was
-- stolen from. They are kept until they expire, or the session ends.
CREATE TABLE refresh_tokens (
    hash        bytea PRIMARY KEY,               -- SHA-256 of the token; the token itself is nowhere
    session_id  uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    generation  integer NOT NULL,                -- each use makes one of the next generation
    expires_at  timestamptz NOT NULL,
    replaced_at timestamptz                      -- NULL: it is the one that is good
);
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id, expires_at);
-- A session has one token that is good.
CREATE UNIQUE INDEX refresh_tokens_current ON refresh_tokens (session_id) WHERE replaced_at IS NULL;
