-- When the last message that was counted says it was made, and when it came: one that was overtaken is no copy's.
ALTER TABLE instances ADD COLUMN counted_made INTEGER;
ALTER TABLE instances ADD COLUMN counted_at INTEGER;
-- The certificate that brought `second_key`, without the first host's session keys.
ALTER TABLE instances ADD COLUMN second_certificate BLOB;
