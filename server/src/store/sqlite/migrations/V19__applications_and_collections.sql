-- Applications belong to developers, and wait for an administrator.
ALTER TABLE applications ADD COLUMN developer TEXT REFERENCES accounts (name);
ALTER TABLE applications ADD COLUMN life TEXT NOT NULL DEFAULT 'active'
    CHECK (life IN ('pending', 'active', 'suspended', 'retired'));
UPDATE applications SET life = 'retired' WHERE state = 'withdrawn';
ALTER TABLE applications DROP COLUMN state;
ALTER TABLE applications RENAME COLUMN life TO state;

-- What was published. Neither name nor digest is ever another one's.
CREATE TABLE application_versions (
    application  TEXT NOT NULL REFERENCES applications (name),
    version      TEXT NOT NULL,
    digest       BLOB NOT NULL,
    notes        TEXT NOT NULL,
    published_at INTEGER NOT NULL,
    retired_at   INTEGER,
    PRIMARY KEY (application, version)
) STRICT;

-- As the instance says.
ALTER TABLE instances ADD COLUMN version TEXT;

CREATE INDEX instances_by_version ON instances (application, version) WHERE version IS NOT NULL;

CREATE TABLE collections (
    name       TEXT PRIMARY KEY,
    owner      TEXT NOT NULL REFERENCES accounts (name),
    schema     TEXT,                            -- JSON
    state      TEXT NOT NULL CHECK (state IN ('pending', 'active', 'suspended', 'retired')),
    state_at   INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX collections_by_owner ON collections (owner);

-- Who may grant on a collection beside its owner.
CREATE TABLE collection_administrators (
    collection   TEXT NOT NULL REFERENCES collections (name),
    account      TEXT NOT NULL REFERENCES accounts (name),
    appointed_at INTEGER NOT NULL,
    PRIMARY KEY (collection, account)
) STRICT;

CREATE INDEX collection_administrators_by_account ON collection_administrators (account);

CREATE TABLE collection_grants (
    collection TEXT NOT NULL REFERENCES collections (name),
    account    TEXT NOT NULL REFERENCES accounts (name),
    access     TEXT NOT NULL CHECK (access IN ('read', 'create', 'update', 'delete')),
    granted_by TEXT NOT NULL,
    granted_at INTEGER NOT NULL,
    PRIMARY KEY (collection, account, access)
) STRICT;

CREATE INDEX collection_grants_by_account ON collection_grants (account);

-- When an account that is closed ended.
ALTER TABLE accounts ADD COLUMN retired_at INTEGER;
