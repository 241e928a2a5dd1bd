-- Where people can be reached. The address lies sealed; its keyed digest says whose it is.
CREATE TABLE contacts (
    digest  BYTEA PRIMARY KEY NOT NULL,
    id      BYTEA NOT NULL,
    account TEXT NOT NULL REFERENCES accounts (name),
    sealed  BYTEA NOT NULL,
    since   BIGINT NOT NULL
);
CREATE INDEX contacts_by_account ON contacts (account);

-- The address of each account that waits for its code.
CREATE TABLE waiting_contacts (
    account TEXT PRIMARY KEY NOT NULL REFERENCES accounts (name),
    id      BYTEA NOT NULL,
    digest  BYTEA NOT NULL,
    sealed  BYTEA NOT NULL,
    since   BIGINT NOT NULL,
    code    BYTEA NOT NULL,
    expires BIGINT NOT NULL,
    tries   BIGINT NOT NULL DEFAULT 0
);

-- Requests for a message to one address, whoever made them; when the newest three end.
CREATE TABLE address_requests (
    digest     BYTEA PRIMARY KEY NOT NULL,
    day        BIGINT NOT NULL,
    asked      BIGINT NOT NULL,
    not_before BIGINT NOT NULL,
    pause      BIGINT NOT NULL,
    newest     BIGINT NOT NULL,
    middle     BIGINT NOT NULL,
    oldest     BIGINT NOT NULL
);

-- Letters on their way to people.
CREATE TABLE letters (
    id           BYTEA PRIMARY KEY NOT NULL,
    channel      TEXT NOT NULL,
    purpose      TEXT NOT NULL,
    account      TEXT,
    sealed       BYTEA NOT NULL,
    due          BIGINT NOT NULL,
    expires      BIGINT NOT NULL,
    silent       BIGINT NOT NULL,
    leased_until BIGINT NOT NULL DEFAULT 0,
    attempts     BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX letters_due ON letters (channel, due);

-- What a registration without an administrator has beside the others.
CREATE TABLE alone (
    id        BYTEA PRIMARY KEY NOT NULL,
    code      BYTEA,
    sealed    BYTEA NOT NULL,
    expires   BIGINT NOT NULL,
    tries     BIGINT NOT NULL DEFAULT 0,
    last_step BIGINT NOT NULL DEFAULT 0
);

-- The authenticator program that an account's code needs beside it.
CREATE TABLE second_factors (
    account   TEXT PRIMARY KEY NOT NULL REFERENCES accounts (name),
    id        BYTEA NOT NULL,
    sealed    BYTEA NOT NULL,
    last_step BIGINT NOT NULL DEFAULT 0
);
