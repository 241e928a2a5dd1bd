-- A use is told once for each code and host: a host that reports one code's use often says nothing new.
CREATE TABLE emergency_uses_2 (
    account  TEXT NOT NULL REFERENCES accounts (name),
    salt     BLOB NOT NULL,                     -- names the code
    instance TEXT NOT NULL,                     -- fingerprint
    at       INTEGER NOT NULL,
    hostname TEXT NOT NULL,                     -- as the host calls itself
    login    TEXT NOT NULL,
    told_at  INTEGER,
    PRIMARY KEY (account, salt, instance)
) STRICT;
-- Which code it was is not known any more: the request stands in its place.
INSERT INTO emergency_uses_2 (account, salt, instance, at, hostname, login, told_at)
SELECT account, request, '', at, hostname, login, told_at FROM emergency_uses;
DROP TABLE emergency_uses;
ALTER TABLE emergency_uses_2 RENAME TO emergency_uses;
