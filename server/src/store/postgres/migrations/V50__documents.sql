-- Documents of collections, each in its newest version. A deleted one keeps its place without a body, so that no version is
-- ever two documents.
CREATE TABLE documents (
    collection TEXT COLLATE "C" NOT NULL REFERENCES collections (name),
    name       TEXT COLLATE "C" NOT NULL,
    version    BIGINT NOT NULL,
    body       TEXT COLLATE "C",
    changed_at BIGINT NOT NULL,
    changed_by TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (collection, name)
);

-- The versions before, as far as they are kept.
CREATE TABLE document_versions (
    collection TEXT COLLATE "C" NOT NULL REFERENCES collections (name),
    name       TEXT COLLATE "C" NOT NULL,
    version    BIGINT NOT NULL,
    body       TEXT COLLATE "C" NOT NULL,
    changed_at BIGINT NOT NULL,
    changed_by TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (collection, name, version)
);
