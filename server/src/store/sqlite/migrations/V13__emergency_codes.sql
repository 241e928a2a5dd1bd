-- What is kept of each account's one emergency code. It is over once it is used, ended, or tried too often.
CREATE TABLE emergency_codes (
    account  TEXT PRIMARY KEY REFERENCES accounts (name),
    salt     BLOB NOT NULL,                     -- also names the code
    digest   BLOB NOT NULL,
    made_at  INTEGER NOT NULL,
    tries    INTEGER NOT NULL DEFAULT 0,
    used_at  INTEGER,
    used_for BLOB,                              -- SHA-256 of the request that it was used for
    ended_at INTEGER
) STRICT;

-- Every use, told to the account's person at their next login by card.
CREATE TABLE emergency_uses (
    account  TEXT NOT NULL REFERENCES accounts (name),
    request  BLOB NOT NULL,                     -- SHA-256 of its bytes
    at       INTEGER NOT NULL,
    hostname TEXT NOT NULL,                     -- as the host calls itself
    login    TEXT NOT NULL,
    told_at  INTEGER,
    PRIMARY KEY (account, request)
) STRICT;
