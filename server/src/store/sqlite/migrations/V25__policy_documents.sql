-- Policies are documents with versions. Each row is one change, under the number that the ledger's entries name, and never
-- changes again. Without a text the document was taken out. What was in force before was one text: the document "default".
CREATE TABLE policy_changes (
    epoch INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    digest BLOB,
    text TEXT,
    since INTEGER NOT NULL,
    author TEXT,
    UNIQUE (name, version)
);

INSERT INTO policy_changes (epoch, name, version, digest, text, since)
    SELECT epoch, 'default', epoch, digest, text, since FROM policies;

DROP TABLE policies;
