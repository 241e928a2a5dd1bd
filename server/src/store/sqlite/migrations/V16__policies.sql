-- Every policy text that was in force, under the number that the ledger's entries name.
CREATE TABLE policies (
    epoch INTEGER PRIMARY KEY,
    digest BLOB NOT NULL,
    text TEXT NOT NULL,
    since INTEGER NOT NULL
);
