-- The server's own subkeys, sealed under the store key. Version counts the changes.
CREATE TABLE server_keys (
    only_one BIGINT PRIMARY KEY CHECK (only_one = 1),
    version BIGINT NOT NULL,
    sealed BYTEA NOT NULL
);
