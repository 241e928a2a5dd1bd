-- Up to when replies and nonces were deleted. A clock that says an earlier time cannot be worked with.
CREATE TABLE forgotten (
    only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
    before   INTEGER NOT NULL
) STRICT;
