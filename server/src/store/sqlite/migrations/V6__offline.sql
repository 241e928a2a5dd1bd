-- Logins that a host let in while it could not reach us: each is told of in one entry.
CREATE TABLE offline_uses (
    instance  TEXT NOT NULL REFERENCES instances (fingerprint),
    statement BLOB NOT NULL,                    -- SHA-256 of its bytes
    place     INTEGER NOT NULL,                 -- of the entry
    PRIMARY KEY (instance, statement)
) STRICT, WITHOUT ROWID;

-- Which of an account's uses of a roster were counted.
CREATE TABLE offline_numbers (
    roster  BLOB NOT NULL,                      -- SHA-256 of its bytes
    account TEXT NOT NULL,
    number  INTEGER NOT NULL,
    PRIMARY KEY (roster, account, number)
) STRICT, WITHOUT ROWID;

-- SHA-256 of the statement, to find out whether it was decided. Older rows have none.
ALTER TABLE ledger_evidence ADD COLUMN digest BLOB;

CREATE INDEX instances_by_successor ON instances (successor) WHERE successor IS NOT NULL;

CREATE INDEX ledger_evidence_by_statement ON ledger_evidence (digest) WHERE digest IS NOT NULL;
