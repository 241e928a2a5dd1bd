-- All that was ever an account's key is looked at with the account, when it is compared with the ledger.
CREATE INDEX known_keys_by_owner ON known_keys (owner_kind, owner);
