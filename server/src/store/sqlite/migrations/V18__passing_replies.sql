-- The index as the statement asks: in the SQL of every database a truth value is 0 or 1.
DROP INDEX replies_passing;
CREATE INDEX replies_passing ON replies (instance) WHERE passing = 1 AND length(sealed) > 0;
