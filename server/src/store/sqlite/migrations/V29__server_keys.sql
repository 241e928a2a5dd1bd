-- The server's own subkeys, sealed under the store key. Version counts the changes.
CREATE TABLE server_keys (
    only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
    version INTEGER NOT NULL,
    sealed BLOB NOT NULL
) STRICT;
