-- The key in an account's card that opens logins through SSH. Older rows have none: the card is registered anew for it.
ALTER TABLE accounts ADD COLUMN authentication_key TEXT;
