-- Policies are documents with versions. Each row is one change, under the number that the ledger's entries name, and never
-- changes again. Without a text the document was taken out. What was in force before was one text: the document "default".
CREATE TABLE policy_changes (
    epoch   BIGINT PRIMARY KEY,
    name    TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    digest  BYTEA,
    text    TEXT COLLATE "C",
    since   BIGINT NOT NULL,
    author  TEXT COLLATE "C",
    UNIQUE (name, version)
);

INSERT INTO policy_changes (epoch, name, version, digest, text, since)
    SELECT epoch, 'default', epoch, digest, text, since FROM policies;

DROP TABLE policies;
