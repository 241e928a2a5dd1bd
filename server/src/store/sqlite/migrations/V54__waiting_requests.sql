-- Requests that other people must approve before they are done.
CREATE TABLE waiting_requests (
    id          BLOB PRIMARY KEY NOT NULL,      -- the message that it came by
    correlation TEXT NOT NULL UNIQUE,
    account     TEXT NOT NULL REFERENCES accounts (name),
    asker_key   TEXT NOT NULL,
    instance    TEXT NOT NULL,
    statement   BLOB NOT NULL,
    signature   BLOB NOT NULL,
    body        BLOB,                           -- as long as it waits
    -- Of one that becomes a job, as long as it waits: the message as its host signed it.
    message     BLOB,
    host_signature BLOB,
    host_certificate BLOB,
    needs       TEXT NOT NULL,
    made_at     INTEGER NOT NULL,
    deadline    INTEGER NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('waiting', 'done', 'denied', 'withdrawn')),
    ended_at    INTEGER,
    reason      TEXT,
    result      BLOB,                           -- sealed, until it is told
    mac         BLOB                            -- as long as it waits
) STRICT;

CREATE INDEX waiting_requests_of ON waiting_requests (account, made_at);
CREATE INDEX waiting_requests_by_age ON waiting_requests (deadline);

-- One account, one key and one card count once.
CREATE TABLE request_approvals (
    request      BLOB NOT NULL REFERENCES waiting_requests (id),
    account      TEXT NOT NULL REFERENCES accounts (name),
    approver_key TEXT NOT NULL,
    card         TEXT NOT NULL,
    statement    BLOB NOT NULL,
    signature    BLOB NOT NULL,
    place        INTEGER NOT NULL,              -- of its entry in the ledger
    approved_at  INTEGER NOT NULL,
    remark       TEXT,
    mac          BLOB NOT NULL,
    PRIMARY KEY (request, account),
    UNIQUE (request, approver_key),
    UNIQUE (request, card)
) STRICT;
