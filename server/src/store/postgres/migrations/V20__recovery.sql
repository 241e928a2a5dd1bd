-- What is kept of each account's one recovery code. One that a card had made ends with a revoked card.
CREATE TABLE recovery_codes (
    account  TEXT PRIMARY KEY REFERENCES accounts (name),
    mac      BYTEA NOT NULL,
    by_card  BIGINT NOT NULL,
    made_at  BIGINT NOT NULL,
    tries    BIGINT NOT NULL DEFAULT 0,
    used_at  BIGINT,
    ended_at BIGINT
);

-- Registrations that are by a recovery code.
CREATE TABLE recovery_requests (
    registration BYTEA PRIMARY KEY
);

-- Keys that want to become an account's only one.
CREATE TABLE recoveries (
    id                 TEXT PRIMARY KEY,
    account            TEXT NOT NULL REFERENCES accounts (name),
    certificate        BYTEA NOT NULL,
    short_certificate  BYTEA NOT NULL,
    primary_key        TEXT NOT NULL,
    signing_keys       TEXT NOT NULL,
    authentication_key TEXT,
    key_card           TEXT,
    hostname           TEXT NOT NULL,           -- as the host calls itself at which it was begun
    begun_at           BIGINT NOT NULL,
    ended_at           BIGINT,
    outcome            TEXT CHECK (outcome IN ('completed', 'withdrawn', 'expired'))
);

-- One at a time.
CREATE UNIQUE INDEX recoveries_under_way ON recoveries (account) WHERE ended_at IS NULL;

-- One administrator, one key and one card count once.
CREATE TABLE recovery_approvals (
    recovery      TEXT NOT NULL REFERENCES recoveries (id),
    administrator TEXT NOT NULL REFERENCES accounts (name),
    approver_key  TEXT NOT NULL,
    card          TEXT,
    approved_at   BIGINT NOT NULL,
    PRIMARY KEY (recovery, administrator),
    UNIQUE (recovery, approver_key),
    UNIQUE (recovery, card)
);

-- The one that was begun last, so that a login knows of it without another look.
ALTER TABLE accounts ADD COLUMN recovery TEXT;
