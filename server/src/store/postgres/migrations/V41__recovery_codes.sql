-- Two recovery codes of an account: the one of its registration, and the one that a card had made, while which lives the
-- other does not count.
ALTER TABLE recovery_codes DROP CONSTRAINT recovery_codes_pkey;
ALTER TABLE recovery_codes ADD PRIMARY KEY (account, by_card);
ALTER TABLE recovery_codes DROP COLUMN tries;

-- Tries of an account's recovery code, by the host they came from, within an hour.
CREATE TABLE recovery_tries (
    account  TEXT COLLATE "C" NOT NULL REFERENCES accounts (name),
    instance TEXT COLLATE "C" NOT NULL,
    since    BIGINT NOT NULL,
    tries    BIGINT NOT NULL,
    PRIMARY KEY (account, instance)
);
