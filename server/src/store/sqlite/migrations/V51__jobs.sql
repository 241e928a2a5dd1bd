-- Requests about documents, on their way from the auth server to the API and back.
CREATE TABLE jobs (
    id            BLOB PRIMARY KEY,
    -- The entry that says that it was accepted: they are done in this order.
    place         INTEGER NOT NULL,
    correlation   TEXT NOT NULL,
    account       TEXT NOT NULL REFERENCES accounts (name),
    account_key   TEXT NOT NULL,
    instance      TEXT NOT NULL,
    operation     TEXT NOT NULL,
    resource      TEXT NOT NULL,
    accepted_at   INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    standing      TEXT NOT NULL,
    -- What proves it; gone once something came of it.
    message       BLOB,
    signature     BLOB,
    certificate   BLOB,
    receipt       TEXT,
    -- Who is doing it, and until when nobody else does.
    worker        BLOB,
    claimed_until INTEGER,
    -- What came of it.
    reason        TEXT NOT NULL,
    version       INTEGER,
    result        BLOB,
    is_sealed     INTEGER NOT NULL,
    -- The fetch that has the result, and until when.
    fetched_by    BLOB,
    leased_until  INTEGER,
    -- Whether the ledger says what came of it.
    is_recorded   INTEGER NOT NULL
) STRICT;

CREATE INDEX jobs_queued ON jobs (place) WHERE standing = 'queued';
CREATE INDEX jobs_queued_by_resource ON jobs (resource, place) WHERE standing = 'queued';
CREATE INDEX jobs_unrecorded ON jobs (place) WHERE is_recorded = 0 AND standing <> 'queued';
CREATE INDEX jobs_unserved ON jobs (expires_at) WHERE standing IN ('queued', 'done', 'failed');
CREATE INDEX jobs_leased ON jobs (leased_until) WHERE leased_until IS NOT NULL;
CREATE INDEX jobs_waiting ON jobs (account) WHERE standing IN ('queued', 'done', 'failed');
CREATE INDEX jobs_by_account ON jobs (account, place);
CREATE INDEX jobs_by_end ON jobs (expires_at);
