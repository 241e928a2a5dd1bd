-- Bars that were lifted. What happened under one is told of later, when a host can be reached again.
CREATE TABLE bars (
    owner_kind TEXT NOT NULL CHECK (owner_kind IN ('account', 'instance')),
    owner      TEXT NOT NULL,
    from_at    INTEGER NOT NULL,
    until_at   INTEGER NOT NULL
) STRICT;

CREATE INDEX bars_by_owner ON bars (owner_kind, owner);
