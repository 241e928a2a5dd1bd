-- Where people can be reached. The address lies sealed; its keyed digest says whose it is.
CREATE TABLE contacts (
    digest  BLOB PRIMARY KEY NOT NULL,
    id      BLOB NOT NULL,
    account TEXT NOT NULL REFERENCES accounts (name),
    sealed  BLOB NOT NULL,
    since   INTEGER NOT NULL
) STRICT;
CREATE INDEX contacts_by_account ON contacts (account);

-- The address of each account that waits for its code.
CREATE TABLE waiting_contacts (
    account TEXT PRIMARY KEY NOT NULL REFERENCES accounts (name),
    id      BLOB NOT NULL,
    digest  BLOB NOT NULL,
    sealed  BLOB NOT NULL,
    since   INTEGER NOT NULL,
    code    BLOB NOT NULL,
    expires INTEGER NOT NULL,
    tries   INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Requests for a message to one address, whoever made them; when the newest three end.
CREATE TABLE address_requests (
    digest     BLOB PRIMARY KEY NOT NULL,
    day        INTEGER NOT NULL,
    asked      INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    pause      INTEGER NOT NULL,
    newest     INTEGER NOT NULL,
    middle     INTEGER NOT NULL,
    oldest     INTEGER NOT NULL
) STRICT;

-- Letters on their way to people.
CREATE TABLE letters (
    id           BLOB PRIMARY KEY NOT NULL,
    channel      TEXT NOT NULL,
    purpose      TEXT NOT NULL,
    account      TEXT,
    sealed       BLOB NOT NULL,
    due          INTEGER NOT NULL,
    expires      INTEGER NOT NULL,
    silent       INTEGER NOT NULL,
    leased_until INTEGER NOT NULL DEFAULT 0,
    attempts     INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX letters_due ON letters (channel, due);

-- What a registration without an administrator has beside the others.
CREATE TABLE alone (
    id        BLOB PRIMARY KEY NOT NULL,
    code      BLOB,
    sealed    BLOB NOT NULL,
    expires   INTEGER NOT NULL,
    tries     INTEGER NOT NULL DEFAULT 0,
    last_step INTEGER NOT NULL DEFAULT 0
) STRICT;

-- The authenticator program that an account's code needs beside it.
CREATE TABLE second_factors (
    account   TEXT PRIMARY KEY NOT NULL REFERENCES accounts (name),
    id        BLOB NOT NULL,
    sealed    BLOB NOT NULL,
    last_step INTEGER NOT NULL DEFAULT 0
) STRICT;
