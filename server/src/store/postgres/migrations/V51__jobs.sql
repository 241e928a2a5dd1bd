-- Requests about documents, on their way from the auth server to the API and back.
CREATE TABLE jobs (
    id            BYTEA PRIMARY KEY,
    -- The entry that says that it was accepted: they are done in this order.
    place         BIGINT NOT NULL,
    correlation   TEXT COLLATE "C" NOT NULL,
    account       TEXT COLLATE "C" NOT NULL REFERENCES accounts (name),
    account_key   TEXT COLLATE "C" NOT NULL,
    instance      TEXT COLLATE "C" NOT NULL,
    operation     TEXT COLLATE "C" NOT NULL,
    resource      TEXT COLLATE "C" NOT NULL,
    accepted_at   BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    standing      TEXT COLLATE "C" NOT NULL,
    -- What proves it; gone once something came of it.
    message       BYTEA,
    signature     BYTEA,
    certificate   BYTEA,
    receipt       TEXT COLLATE "C",
    -- Who is doing it, and until when nobody else does.
    worker        BYTEA,
    claimed_until BIGINT,
    -- What came of it.
    reason        TEXT COLLATE "C" NOT NULL,
    version       BIGINT,
    result        BYTEA,
    is_sealed     BIGINT NOT NULL,
    -- The fetch that has the result, and until when.
    fetched_by    BYTEA,
    leased_until  BIGINT,
    -- Whether the ledger says what came of it.
    is_recorded   BIGINT NOT NULL
);

CREATE INDEX jobs_queued ON jobs (place) WHERE standing = 'queued';
CREATE INDEX jobs_queued_by_resource ON jobs (resource, place) WHERE standing = 'queued';
CREATE INDEX jobs_unrecorded ON jobs (place) WHERE is_recorded = 0 AND standing <> 'queued';
CREATE INDEX jobs_unserved ON jobs (expires_at) WHERE standing IN ('queued', 'done', 'failed');
CREATE INDEX jobs_leased ON jobs (leased_until) WHERE leased_until IS NOT NULL;
CREATE INDEX jobs_waiting ON jobs (account) WHERE standing IN ('queued', 'done', 'failed');
CREATE INDEX jobs_by_account ON jobs (account, place);
CREATE INDEX jobs_by_end ON jobs (expires_at);
