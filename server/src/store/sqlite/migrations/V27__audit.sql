-- What the last audit knew of the ledger, under a MAC by a key that is not here (`core/src/audit.rs`).
CREATE TABLE audit_state (
    only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
    next     INTEGER NOT NULL,                  -- first place not replayed
    root     BLOB NOT NULL,                     -- of the tree before it
    kept     TEXT NOT NULL,                     -- JSON: findings
    mac      BLOB NOT NULL
) STRICT;

-- How the ledger says that each row stands.
CREATE TABLE audit_said (
    row_name TEXT PRIMARY KEY,                  -- such as account/ana
    standing TEXT,                              -- by digest
    place    INTEGER NOT NULL                   -- the entry that says so
) STRICT;

-- How far entries were sent to syslog, and by which process until when.
CREATE TABLE syslog_cursor (
    only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
    next     INTEGER NOT NULL,
    holder   TEXT,
    until    INTEGER
) STRICT;
