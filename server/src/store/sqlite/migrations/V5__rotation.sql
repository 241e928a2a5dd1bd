-- The session key of the second host that was seen with one key.
ALTER TABLE instances ADD COLUMN second_key TEXT;

-- Changes of a host's key that are under way: one at a time for each.
CREATE TABLE rotations (
    instance     TEXT PRIMARY KEY REFERENCES instances (fingerprint),
    transcript   BLOB NOT NULL,
    commitment   BLOB NOT NULL,
    server_nonce BLOB NOT NULL,
    expires      INTEGER NOT NULL,
    used_at      INTEGER
) STRICT;
