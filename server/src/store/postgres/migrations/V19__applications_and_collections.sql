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
    digest       BYTEA NOT NULL,
    notes        TEXT NOT NULL,
    published_at BIGINT NOT NULL,
    retired_at   BIGINT,
    PRIMARY KEY (application, version)
);

-- As the instance says.
ALTER TABLE instances ADD COLUMN version TEXT;

CREATE INDEX instances_by_version ON instances (application, version) WHERE version IS NOT NULL;

CREATE TABLE collections (
    name       TEXT PRIMARY KEY,
    owner      TEXT NOT NULL REFERENCES accounts (name),
    schema     TEXT,                            -- JSON
    state      TEXT NOT NULL CHECK (state IN ('pending', 'active', 'suspended', 'retired')),
    state_at   BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE INDEX collections_by_owner ON collections (owner);

-- Who may grant on a collection beside its owner.
CREATE TABLE collection_administrators (
    collection   TEXT NOT NULL REFERENCES collections (name),
    account      TEXT NOT NULL REFERENCES accounts (name),
    appointed_at BIGINT NOT NULL,
    PRIMARY KEY (collection, account)
);

CREATE INDEX collection_administrators_by_account ON collection_administrators (account);

CREATE TABLE collection_grants (
    collection TEXT NOT NULL REFERENCES collections (name),
    account    TEXT NOT NULL REFERENCES accounts (name),
    access     TEXT NOT NULL CHECK (access IN ('read', 'create', 'update', 'delete')),
    granted_by TEXT NOT NULL,
    granted_at BIGINT NOT NULL,
    PRIMARY KEY (collection, account, access)
);

CREATE INDEX collection_grants_by_account ON collection_grants (account);

-- When an account that is closed ended.
ALTER TABLE accounts ADD COLUMN retired_at BIGINT;
