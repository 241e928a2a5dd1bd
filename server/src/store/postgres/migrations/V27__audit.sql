-- What the last audit knew of the ledger, under a MAC by a key that is not here (`core/src/audit.rs`).
CREATE TABLE audit_state (
    only_one BIGINT PRIMARY KEY CHECK (only_one = 1),
    next     BIGINT NOT NULL,                  -- first place not replayed
    root     BYTEA NOT NULL,                     -- of the tree before it
    kept     TEXT COLLATE "C" NOT NULL,                     -- JSON: findings
    mac      BYTEA NOT NULL
);

-- How the ledger says that each row stands.
CREATE TABLE audit_said (
    row_name TEXT COLLATE "C" PRIMARY KEY,                  -- such as account/ana
    standing TEXT COLLATE "C",                              -- by digest
    place    BIGINT NOT NULL                   -- the entry that says so
);

-- How far entries were sent to syslog, and by which process until when.
CREATE TABLE syslog_cursor (
    only_one BIGINT PRIMARY KEY CHECK (only_one = 1),
    next     BIGINT NOT NULL,
    holder   TEXT COLLATE "C",
    until    BIGINT
);
