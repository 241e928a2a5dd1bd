-- Two recovery codes of an account: the one of its registration, and the one that a card had made, while which lives the
-- other does not count.
ALTER TABLE recovery_codes RENAME TO one_recovery_code;
CREATE TABLE recovery_codes (
    account  TEXT NOT NULL REFERENCES accounts (name),
    by_card  INTEGER NOT NULL,
    mac      BLOB NOT NULL,
    made_at  INTEGER NOT NULL,
    used_at  INTEGER,
    ended_at INTEGER,
    PRIMARY KEY (account, by_card)
) STRICT;
INSERT INTO recovery_codes (account, by_card, mac, made_at, used_at, ended_at)
SELECT account, by_card, mac, made_at, used_at, ended_at FROM one_recovery_code;
DROP TABLE one_recovery_code;

-- Tries of an account's recovery code, by the host they came from, within an hour.
CREATE TABLE recovery_tries (
    account  TEXT NOT NULL REFERENCES accounts (name),
    instance TEXT NOT NULL,
    since    INTEGER NOT NULL,
    tries    INTEGER NOT NULL,
    PRIMARY KEY (account, instance)
) STRICT;
