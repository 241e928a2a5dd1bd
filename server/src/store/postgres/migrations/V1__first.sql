-- The tables as SQLite has them after its seventeenth migration; from the eighteenth on there is one file for each.
-- Times are whole seconds since 1970. Fingerprints are upper-case hexadecimal, digests and nonces 32 bytes.
-- Text is compared byte by byte (COLLATE "C"), as SQLite does; there is no truth value but 0 and 1.

CREATE TABLE accounts (
    name               TEXT COLLATE "C" PRIMARY KEY,
    state              TEXT COLLATE "C" NOT NULL CHECK (state IN ('invited', 'active', 'suspended', 'closed')),
    roles              TEXT COLLATE "C" NOT NULL,              -- JSON array
    certificate        BYTEA,
    short_certificate  BYTEA,                                  -- what rosters hold of it
    primary_key        TEXT COLLATE "C",
    signing_keys       TEXT COLLATE "C",                       -- JSON array of fingerprints
    authentication_key TEXT COLLATE "C",                       -- the key in the card that opens logins through SSH
    key_card           TEXT COLLATE "C",                       -- the card that the key was registered from, as the host said
    created_at         BIGINT NOT NULL,
    key_at             BIGINT,
    suspended_at       BIGINT,
    seen_at            BIGINT,                                 -- when a request of it was last taken, to the hour
    CHECK (state NOT IN ('active', 'suspended')
        OR (certificate IS NOT NULL AND primary_key IS NOT NULL AND signing_keys IS NOT NULL))
);

CREATE TABLE account_logins (
    account TEXT COLLATE "C" NOT NULL REFERENCES accounts (name),
    login   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (account, login)
);

CREATE INDEX account_logins_by_login ON account_logins (login);

-- The key on the second card of an account that has one. It becomes the account's first if that is revoked.
CREATE TABLE second_keys (
    account            TEXT COLLATE "C" PRIMARY KEY REFERENCES accounts (name),
    certificate        BYTEA NOT NULL,
    short_certificate  BYTEA NOT NULL,
    primary_key        TEXT COLLATE "C" NOT NULL UNIQUE,
    signing_keys       TEXT COLLATE "C" NOT NULL,
    authentication_key TEXT COLLATE "C",
    key_card           TEXT COLLATE "C",
    key_at             BIGINT NOT NULL
);

-- Certificates that were an account's. What they signed can still be checked.
CREATE TABLE revoked_keys (
    primary_key   TEXT COLLATE "C" PRIMARY KEY,
    account       TEXT COLLATE "C" NOT NULL REFERENCES accounts (name),
    certificate   BYTEA NOT NULL,
    signing_keys  TEXT COLLATE "C" NOT NULL,
    card          TEXT COLLATE "C",
    registered_at BIGINT NOT NULL,
    revoked_at    BIGINT NOT NULL
);

CREATE INDEX revoked_keys_by_account ON revoked_keys (account);

CREATE TABLE applications (
    name        TEXT COLLATE "C" PRIMARY KEY,
    fingerprint TEXT COLLATE "C" NOT NULL UNIQUE,
    certificate BYTEA NOT NULL,
    state       TEXT COLLATE "C" NOT NULL CHECK (state IN ('active', 'withdrawn')),
    created_at  BIGINT NOT NULL,
    ended_at    BIGINT
);

CREATE TABLE instances (
    fingerprint        TEXT COLLATE "C" PRIMARY KEY,
    application        TEXT COLLATE "C" NOT NULL REFERENCES applications (name),
    certificate        BYTEA NOT NULL,
    signing_key        TEXT COLLATE "C",
    second_key         TEXT COLLATE "C",                       -- the session key of the second host seen with one key
    second_certificate BYTEA,                                  -- that brought it, without the first host's session keys
    key_words          TEXT COLLATE "C" NOT NULL,
    claimed_hostname   TEXT COLLATE "C" NOT NULL,
    key_place          TEXT COLLATE "C" NOT NULL,              -- JSON
    state              TEXT COLLATE "C" NOT NULL CHECK (state IN ('pending', 'active', 'suspended', 'revoked')),
    state_at           BIGINT NOT NULL,
    counter            BIGINT NOT NULL DEFAULT 0,
    counted_made       BIGINT,                                 -- when the last message that was counted says it was made
    counted_at         BIGINT,                                 -- and when it came
    forked_at          BIGINT,
    enrolled_at        BIGINT NOT NULL,
    seen_at            BIGINT,
    successor          TEXT COLLATE "C"                        -- the key that took this one's place
);

CREATE INDEX instances_by_key_words ON instances (key_words) WHERE state = 'pending';
CREATE INDEX instances_by_successor ON instances (successor) WHERE successor IS NOT NULL;

-- Every key ever seen as part of an identity. Rows are never removed.
CREATE TABLE known_keys (
    fingerprint TEXT COLLATE "C" PRIMARY KEY,
    key_id      TEXT COLLATE "C" NOT NULL,
    owner_kind  TEXT COLLATE "C" NOT NULL CHECK (owner_kind IN ('server', 'application', 'instance', 'account')),
    owner       TEXT COLLATE "C" NOT NULL,
    revoked_at  BIGINT                                         -- never again anybody's, not even its owner's
);

CREATE INDEX known_keys_by_id ON known_keys (key_id);

-- Bars that were lifted. What happened under one is told of later, when a host can be reached again.
CREATE TABLE bars (
    owner_kind TEXT COLLATE "C" NOT NULL CHECK (owner_kind IN ('account', 'instance')),
    owner      TEXT COLLATE "C" NOT NULL,
    from_at    BIGINT NOT NULL,
    until_at   BIGINT NOT NULL
);

CREATE INDEX bars_by_owner ON bars (owner_kind, owner);

CREATE TABLE burned_nonces (
    nonce     BYTEA PRIMARY KEY,
    burned_at BIGINT NOT NULL
);

CREATE INDEX burned_nonces_by_age ON burned_nonces (burned_at);

CREATE TABLE codes (
    account TEXT COLLATE "C" PRIMARY KEY REFERENCES accounts (name),
    mac     BYTEA NOT NULL,
    tries   BIGINT NOT NULL DEFAULT 0,
    expires BIGINT NOT NULL,
    used_at BIGINT
);

CREATE TABLE tokens (
    name    TEXT COLLATE "C" PRIMARY KEY,
    mac     BYTEA NOT NULL UNIQUE,
    expires BIGINT NOT NULL,
    used_at BIGINT,
    used_by TEXT COLLATE "C"
);

CREATE TABLE handshakes (
    transcript   BYTEA PRIMARY KEY,
    application  TEXT COLLATE "C" NOT NULL REFERENCES applications (name),
    commitment   BYTEA NOT NULL,
    server_nonce BYTEA NOT NULL,
    expires      BIGINT NOT NULL,
    used_at      BIGINT
);

CREATE INDEX handshakes_by_age ON handshakes (expires);

CREATE TABLE registrations (
    id           BYTEA PRIMARY KEY,
    instance     TEXT COLLATE "C" NOT NULL REFERENCES instances (fingerprint),
    account      TEXT COLLATE "C" NOT NULL,                    -- as asked for; there need not be one
    commitment   BYTEA NOT NULL,
    transcript   BYTEA NOT NULL,
    server_nonce BYTEA,
    expires      BIGINT NOT NULL,
    ended_at     BIGINT
);

CREATE INDEX registrations_by_age ON registrations (expires);

-- Changes of a host's key that are under way: one at a time for each.
CREATE TABLE rotations (
    instance     TEXT COLLATE "C" PRIMARY KEY REFERENCES instances (fingerprint),
    transcript   BYTEA NOT NULL,
    commitment   BYTEA NOT NULL,
    server_nonce BYTEA NOT NULL,
    expires      BIGINT NOT NULL,
    used_at      BIGINT
);

CREATE TABLE replies (
    id        BYTEA PRIMARY KEY,
    digest    BYTEA NOT NULL,
    instance  TEXT COLLATE "C",                                -- sealed to whatever key it has when the reply leaves …
    ephemeral BYTEA,                                           -- … or to this certificate
    sealed    BYTEA NOT NULL,
    stored_at BIGINT NOT NULL,
    passing   BIGINT NOT NULL DEFAULT 0 CHECK (passing IN (0, 1)), -- 1: the instance's next reply of this sort empties it
    never     BIGINT,                                          -- of a request that never came: the entry that says so
    CHECK ((instance IS NULL) <> (ephemeral IS NULL))
);

CREATE INDEX replies_by_age ON replies (stored_at);
CREATE INDEX replies_passing ON replies (instance) WHERE passing = 1 AND length(sealed) > 0;

-- Up to when replies and nonces were deleted. A clock that says an earlier time cannot be worked with.
CREATE TABLE forgotten (
    only_one BIGINT PRIMARY KEY CHECK (only_one = 1),
    before   BIGINT NOT NULL
);

-- Logins that a host let in while it could not reach us: each is told of in one entry.
CREATE TABLE offline_uses (
    instance  TEXT COLLATE "C" NOT NULL REFERENCES instances (fingerprint),
    statement BYTEA NOT NULL,                                  -- SHA-256 of its bytes
    place     BIGINT NOT NULL,                                 -- of the entry
    PRIMARY KEY (instance, statement)
);

-- Which of an account's uses of a roster were counted.
CREATE TABLE offline_numbers (
    roster  BYTEA NOT NULL,                                    -- SHA-256 of its bytes
    account TEXT COLLATE "C" NOT NULL,
    number  BIGINT NOT NULL,
    PRIMARY KEY (roster, account, number)
);

-- What is kept of each account's one emergency code. It is over once it is used, ended, or tried too often.
CREATE TABLE emergency_codes (
    account     TEXT COLLATE "C" PRIMARY KEY REFERENCES accounts (name),
    salt        BYTEA NOT NULL,                                -- also names the code
    digest      BYTEA NOT NULL,
    made_at     BIGINT NOT NULL,
    tries       BIGINT NOT NULL DEFAULT 0,
    used_at     BIGINT,
    used_for    BYTEA,                                         -- SHA-256 of the request that it was used for
    ended_at    BIGINT,
    end_told_at BIGINT                                         -- when the person was first told that it ended unused
);

-- A use is told once for each code and host: a host that reports one code's use often says nothing new.
CREATE TABLE emergency_uses (
    account  TEXT COLLATE "C" NOT NULL REFERENCES accounts (name),
    salt     BYTEA NOT NULL,                                   -- names the code
    instance TEXT COLLATE "C" NOT NULL,                        -- fingerprint
    at       BIGINT NOT NULL,
    hostname TEXT COLLATE "C" NOT NULL,                        -- as the host calls itself
    login    TEXT COLLATE "C" NOT NULL,
    told_at  BIGINT,
    PRIMARY KEY (account, salt, instance)
);

-- Every policy text that was in force, under the number that the ledger's entries name.
CREATE TABLE policies (
    epoch  BIGINT PRIMARY KEY,
    digest BYTEA NOT NULL,
    text   TEXT COLLATE "C" NOT NULL,
    since  BIGINT NOT NULL
);

CREATE TABLE ledger_entries (
    place BIGINT PRIMARY KEY,
    entry BYTEA NOT NULL
);

-- Beside the log, so that it can be erased without breaking it.
CREATE TABLE ledger_evidence (
    place     BIGINT PRIMARY KEY REFERENCES ledger_entries (place),
    salt      BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    signature BYTEA NOT NULL,
    digest    BYTEA                                            -- SHA-256 of the statement, to find out whether it was decided
);

CREATE INDEX ledger_evidence_by_statement ON ledger_evidence (digest) WHERE digest IS NOT NULL;

CREATE TABLE ledger_hashes (
    position BIGINT PRIMARY KEY,
    hash     BYTEA NOT NULL
);

-- Whoever appends holds this row until the commit.
CREATE TABLE ledger_checkpoint (
    only_one BIGINT PRIMARY KEY CHECK (only_one = 1),
    size     BIGINT NOT NULL,
    note     TEXT COLLATE "C" NOT NULL
);
