-- That a code was right, that a recovery began and that an administrator signed is under a MAC by a key that the database
-- does not hold.
ALTER TABLE registrations ADD COLUMN mac BLOB;
ALTER TABLE recoveries ADD COLUMN mac BLOB;
ALTER TABLE recovery_approvals ADD COLUMN mac BLOB;

-- Whether it was begun with a code that a card had made. It ends with such codes.
ALTER TABLE recoveries ADD COLUMN by_card INTEGER NOT NULL DEFAULT 0;

-- What was under way has no MAC: it is begun again.
UPDATE registrations SET ended_at = expires WHERE ended_at IS NULL;
UPDATE recoveries SET ended_at = begun_at, outcome = 'withdrawn' WHERE ended_at IS NULL;
UPDATE accounts SET recovery = NULL;
