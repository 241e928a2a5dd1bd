-- 1: the instance's next reply of this sort empties it.
ALTER TABLE replies ADD COLUMN passing INTEGER NOT NULL DEFAULT 0 CHECK (passing IN (0, 1));

CREATE INDEX replies_passing ON replies (instance) WHERE passing AND length(sealed) > 0;
