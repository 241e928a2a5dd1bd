-- The groups that an account is in, as a JSON list; nothing for none.
ALTER TABLE accounts ADD COLUMN member_of TEXT COLLATE "C";
