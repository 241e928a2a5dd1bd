-- What rosters hold of an account's certificate. Older rows have none, and rosters the whole.
ALTER TABLE accounts ADD COLUMN short_certificate BLOB;
