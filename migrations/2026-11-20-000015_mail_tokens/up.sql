-- Mails that somebody waits for, until a mail server has taken them. No secret is in here: the token that a mail
-- carries is made when the mail is sent.
CREATE TABLE mails (
    id         uuid PRIMARY KEY,
    kind       text NOT NULL CHECK (kind IN ('verify', 'reset', 'change', 'changed')),
    address    text NOT NULL,                    -- as it is written in accounts
    account_id uuid REFERENCES accounts ON DELETE CASCADE, -- NULL: whose address it is, is looked up when it is sent
    asked_at   timestamptz NOT NULL,
    attempts   integer NOT NULL DEFAULT 0,
    due_at     timestamptz NOT NULL,             -- when it is tried next; while it is being sent, when another may
    -- Whoever asks again for what is waiting already gets one mail.
    CONSTRAINT mails_once UNIQUE NULLS NOT DISTINCT (kind, address, account_id)
);
CREATE INDEX mails_due ON mails (due_at);

-- What the links in mails carry. An account has one of each kind that is good, the newest; using it deletes it.
CREATE TABLE mail_tokens (
    account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    kind       text NOT NULL CHECK (kind IN ('verify', 'reset', 'change')),
    hash       bytea NOT NULL UNIQUE,            -- SHA-256 of the token; the token itself is nowhere
    address    text NOT NULL,                    -- where it was sent: whoever shows it reads mail there
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, kind)
);
