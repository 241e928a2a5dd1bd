-- Documents of collections, each in its newest version. A deleted one keeps its place without a body, so that no version is
-- ever two documents.
CREATE TABLE documents (
    collection TEXT NOT NULL REFERENCES collections (name),
    name       TEXT NOT NULL,
    version    INTEGER NOT NULL,
    body       TEXT,
    changed_at INTEGER NOT NULL,
    changed_by TEXT NOT NULL,
    PRIMARY KEY (collection, name)
) STRICT;

-- The versions before, as far as they are kept.
CREATE TABLE document_versions (
    collection TEXT NOT NULL REFERENCES collections (name),
    name       TEXT NOT NULL,
    version    INTEGER NOT NULL,
    body       TEXT NOT NULL,
    changed_at INTEGER NOT NULL,
    changed_by TEXT NOT NULL,
    PRIMARY KEY (collection, name, version)
) STRICT;
