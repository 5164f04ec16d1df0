-- NULL: the account signs in with a provider alone.
ALTER TABLE accounts ALTER COLUMN password_hash DROP NOT NULL;

-- Who vouches for an account besides its password: what an OpenID provider calls the person.
CREATE TABLE external_identities (
    id            uuid PRIMARY KEY,
    issuer        text NOT NULL,
    subject       text NOT NULL,                 -- never given to anybody else by the issuer, unlike an address
    account_id    uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    email_at_link text NOT NULL,                 -- what the issuer had proved when the two were linked
    created_at    timestamptz NOT NULL,
    last_used_at  timestamptz NOT NULL,
    UNIQUE (issuer, subject)
);
CREATE INDEX external_identities_by_account ON external_identities (account_id, created_at);
