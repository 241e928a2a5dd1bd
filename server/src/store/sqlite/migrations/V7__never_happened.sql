-- Of a request that was asked about and had never come: the entry that says so. Older rows have none.
ALTER TABLE replies ADD COLUMN never INTEGER;
