-- When an account's person was first told that their code ended without being used.
ALTER TABLE emergency_codes ADD COLUMN end_told_at INTEGER;
