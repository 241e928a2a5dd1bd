-- The key on the second card of an account that has one. It becomes the account's first if that is revoked.
CREATE TABLE second_keys (
    account            TEXT PRIMARY KEY REFERENCES accounts (name),
    certificate        BLOB NOT NULL,
    short_certificate  BLOB NOT NULL,
    primary_key        TEXT NOT NULL UNIQUE,
    signing_keys       TEXT NOT NULL,
    authentication_key TEXT,
    key_card           TEXT,
    key_at             INTEGER NOT NULL
) STRICT;
