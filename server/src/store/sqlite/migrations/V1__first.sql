-- Times are whole seconds since 1970. Fingerprints are upper-case hexadecimal, digests and nonces 32 bytes.

CREATE TABLE accounts (
    name         TEXT PRIMARY KEY,
    state        TEXT NOT NULL CHECK (state IN ('invited', 'active', 'suspended', 'closed')),
    roles        TEXT NOT NULL,                 -- JSON array
    certificate  BLOB,
    primary_key  TEXT,
    signing_keys TEXT,                          -- JSON array of fingerprints
    created_at   INTEGER NOT NULL,
    key_at       INTEGER,
    CHECK (state NOT IN ('active', 'suspended')
        OR (certificate IS NOT NULL AND primary_key IS NOT NULL AND signing_keys IS NOT NULL))
) STRICT;

CREATE TABLE account_logins (
    account TEXT NOT NULL REFERENCES accounts (name),
    login   TEXT NOT NULL,
    PRIMARY KEY (account, login)
) STRICT, WITHOUT ROWID;

CREATE INDEX account_logins_by_login ON account_logins (login);

CREATE TABLE applications (
    name        TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL UNIQUE,
    certificate BLOB NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('active', 'withdrawn')),
    created_at  INTEGER NOT NULL,
    ended_at    INTEGER
) STRICT;

CREATE TABLE instances (
    fingerprint      TEXT PRIMARY KEY,
    application      TEXT NOT NULL REFERENCES applications (name),
    certificate      BLOB NOT NULL,
    signing_key      TEXT,
    key_words        TEXT NOT NULL,
    claimed_hostname TEXT NOT NULL,
    key_place        TEXT NOT NULL,             -- JSON
    state            TEXT NOT NULL CHECK (state IN ('pending', 'active', 'suspended', 'revoked')),
    state_at         INTEGER NOT NULL,
    counter          INTEGER NOT NULL DEFAULT 0,
    forked_at        INTEGER,
    enrolled_at      INTEGER NOT NULL
) STRICT;

CREATE INDEX instances_by_key_words ON instances (key_words) WHERE state = 'pending';

-- Every key ever seen as part of an identity. Rows are never removed.
CREATE TABLE known_keys (
    fingerprint TEXT PRIMARY KEY,
    key_id      TEXT NOT NULL,
    owner_kind  TEXT NOT NULL CHECK (owner_kind IN ('server', 'application', 'instance', 'account')),
    owner       TEXT NOT NULL
) STRICT;

CREATE INDEX known_keys_by_id ON known_keys (key_id);

CREATE TABLE burned_nonces (
    nonce     BLOB PRIMARY KEY,
    burned_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX burned_nonces_by_age ON burned_nonces (burned_at);

CREATE TABLE codes (
    account TEXT PRIMARY KEY REFERENCES accounts (name),
    mac     BLOB NOT NULL,
    tries   INTEGER NOT NULL DEFAULT 0,
    expires INTEGER NOT NULL,
    used_at INTEGER
) STRICT;

CREATE TABLE tokens (
    name    TEXT PRIMARY KEY,
    mac     BLOB NOT NULL UNIQUE,
    expires INTEGER NOT NULL,
    used_at INTEGER,
    used_by TEXT
) STRICT;

CREATE TABLE handshakes (
    transcript   BLOB PRIMARY KEY,
    application  TEXT NOT NULL REFERENCES applications (name),
    commitment   BLOB NOT NULL,
    server_nonce BLOB NOT NULL,
    expires      INTEGER NOT NULL,
    used_at      INTEGER
) STRICT;

CREATE INDEX handshakes_by_age ON handshakes (expires);

CREATE TABLE registrations (
    id           BLOB PRIMARY KEY,
    instance     TEXT NOT NULL REFERENCES instances (fingerprint),
    account      TEXT NOT NULL,                 -- as asked for; there need not be one
    commitment   BLOB NOT NULL,
    transcript   BLOB NOT NULL,
    server_nonce BLOB,
    expires      INTEGER NOT NULL,
    ended_at     INTEGER
) STRICT;

CREATE INDEX registrations_by_age ON registrations (expires);

CREATE TABLE replies (
    id         BLOB PRIMARY KEY,
    digest     BLOB NOT NULL,
    instance   TEXT,                            -- sealed to whatever key it has when the reply leaves …
    ephemeral  BLOB,                            -- … or to this certificate
    sealed     BLOB NOT NULL,
    stored_at  INTEGER NOT NULL,
    CHECK ((instance IS NULL) <> (ephemeral IS NULL))
) STRICT;

CREATE INDEX replies_by_age ON replies (stored_at);

CREATE TABLE ledger_entries (
    place INTEGER PRIMARY KEY,
    entry BLOB NOT NULL
) STRICT;

-- Beside the log, so that it can be erased without breaking it.
CREATE TABLE ledger_evidence (
    place     INTEGER PRIMARY KEY REFERENCES ledger_entries (place),
    salt      BLOB NOT NULL,
    statement BLOB NOT NULL,
    signature BLOB NOT NULL
) STRICT;

CREATE TABLE ledger_hashes (
    position INTEGER PRIMARY KEY,
    hash     BLOB NOT NULL
) STRICT;

CREATE TABLE ledger_checkpoint (
    only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
    size     INTEGER NOT NULL,
    note     TEXT NOT NULL
) STRICT;
