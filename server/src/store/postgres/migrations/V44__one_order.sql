-- Text is compared by its bytes, as in a file and as this program does: a column that was made without that takes whatever
-- order the database was made with, and a range of names would be another range here than there.
DO $$
DECLARE
    one RECORD;
BEGIN
    FOR one IN
        SELECT c.relname AS table_name,
               string_agg(format('ALTER COLUMN %I TYPE TEXT COLLATE "C"', a.attname), ', ' ORDER BY a.attnum) AS changes
        FROM pg_attribute a
        JOIN pg_class c ON c.oid = a.attrelid
        JOIN pg_collation o ON o.oid = a.attcollation
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
          AND pg_has_role(c.relowner, 'MEMBER')
          AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid = 'text'::regtype
          AND o.collname <> 'C'
        GROUP BY c.relname
        ORDER BY c.relname
    LOOP
        EXECUTE format('ALTER TABLE %I %s', one.table_name, one.changes);
    END LOOP;
END
$$;
