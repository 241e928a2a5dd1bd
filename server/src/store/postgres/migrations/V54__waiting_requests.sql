-- Requests that other people must approve before they are done.
CREATE TABLE waiting_requests (
    id          BYTEA PRIMARY KEY NOT NULL,      -- the message that it came by
    correlation TEXT COLLATE "C" NOT NULL UNIQUE,
    account     TEXT COLLATE "C" NOT NULL REFERENCES accounts (name),
    asker_key   TEXT COLLATE "C" NOT NULL,
    instance    TEXT COLLATE "C" NOT NULL,
    statement   BYTEA NOT NULL,
    signature   BYTEA NOT NULL,
    body        BYTEA,                           -- as long as it waits
    -- Of one that becomes a job, as long as it waits: the message as its host signed it.
    message     BYTEA,
    host_signature BYTEA,
    host_certificate BYTEA,
    needs       TEXT COLLATE "C" NOT NULL,
    made_at     BIGINT NOT NULL,
    deadline    BIGINT NOT NULL,
    state       TEXT COLLATE "C" NOT NULL CHECK (state IN ('waiting', 'done', 'denied', 'withdrawn')),
    ended_at    BIGINT,
    reason      TEXT COLLATE "C",
    result      BYTEA,                           -- sealed, until it is told
    mac         BYTEA                            -- as long as it waits
);

CREATE INDEX waiting_requests_of ON waiting_requests (account, made_at);
CREATE INDEX waiting_requests_by_age ON waiting_requests (deadline);

-- One account, one key and one card count once.
CREATE TABLE request_approvals (
    request      BYTEA NOT NULL REFERENCES waiting_requests (id),
    account      TEXT COLLATE "C" NOT NULL REFERENCES accounts (name),
    approver_key TEXT COLLATE "C" NOT NULL,
    card         TEXT COLLATE "C" NOT NULL,
    statement    BYTEA NOT NULL,
    signature    BYTEA NOT NULL,
    place        BIGINT NOT NULL,              -- of its entry in the ledger
    approved_at  BIGINT NOT NULL,
    remark       TEXT COLLATE "C",
    mac          BYTEA NOT NULL,
    PRIMARY KEY (request, account),
    UNIQUE (request, approver_key),
    UNIQUE (request, card)
);
