CREATE TABLE projects (
    id           uuid PRIMARY KEY,
    name         text NOT NULL,
    timezone     text NOT NULL DEFAULT 'UTC',    -- IANA name; a day of the project is a day there
    next_user_no integer NOT NULL DEFAULT 0,     -- the next distinct user's dense number
    created_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE members (
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    role       text NOT NULL CHECK (role IN ('owner', 'admin', 'editor', 'viewer')),
    added_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, account_id)
);
CREATE INDEX members_by_account ON members (account_id);

CREATE TABLE api_keys (
    id         uuid PRIMARY KEY,
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    name       text NOT NULL,
    hash       bytea NOT NULL UNIQUE,            -- SHA-256 of the key; the key itself is nowhere
    shown      text NOT NULL,                    -- its first characters, to tell keys apart
    scopes     text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz
);
CREATE INDEX api_keys_by_project ON api_keys (project_id, created_at);
