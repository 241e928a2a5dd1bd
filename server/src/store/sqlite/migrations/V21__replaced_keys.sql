-- The key whose place the one takes that is registered with this code.
ALTER TABLE codes ADD COLUMN replaces TEXT;

-- The certificate by which a key ended itself.
ALTER TABLE revoked_keys ADD COLUMN revocation BLOB;
