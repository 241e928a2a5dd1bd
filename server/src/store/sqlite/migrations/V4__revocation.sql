-- Who suspends an account or revokes its key leaves everything else as it was, to be lifted or read later.
ALTER TABLE accounts ADD COLUMN suspended_at INTEGER;
-- When a request of it was last taken, to the hour.
ALTER TABLE accounts ADD COLUMN seen_at INTEGER;
-- The card that the key was registered from, as the host said.
ALTER TABLE accounts ADD COLUMN key_card TEXT;

-- Certificates that were an account's. What they signed can still be checked.
CREATE TABLE revoked_keys (
    primary_key   TEXT PRIMARY KEY,
    account       TEXT NOT NULL REFERENCES accounts (name),
    certificate   BLOB NOT NULL,
    signing_keys  TEXT NOT NULL,
    card          TEXT,
    registered_at INTEGER NOT NULL,
    revoked_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX revoked_keys_by_account ON revoked_keys (account);

-- Never again anybody's, not even its owner's.
ALTER TABLE known_keys ADD COLUMN revoked_at INTEGER;

ALTER TABLE instances ADD COLUMN seen_at INTEGER;
-- The key that took this one's place.
ALTER TABLE instances ADD COLUMN successor TEXT;
