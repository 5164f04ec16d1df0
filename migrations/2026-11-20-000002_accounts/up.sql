CREATE TABLE accounts (
    id            uuid PRIMARY KEY,
    email         text NOT NULL UNIQUE,          -- normalised: trimmed, lower case
    password_hash text NOT NULL,                 -- bcrypt
    full_name     text,
    is_admin      boolean NOT NULL DEFAULT false, -- the system role that sees every project
    created_at    timestamptz NOT NULL DEFAULT now()
);

-- Keys that sign access tokens. The private half is encrypted with MILLRACE_MASTER_KEY.
CREATE TABLE signing_keys (
    kid         text PRIMARY KEY,
    public_pem  text NOT NULL,
    private_box bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    retired_at  timestamptz
);
