-- Beside the platform: Lectern removed, with its schema, its rights, its triggers and its role.
--
-- Stop the syncer and the gateway first, and keep a backup (`gateway backup`): what
-- Lectern knows of archived recordings is in its schema. No row, column or index of the
-- platform's is touched, but for the optional ones of indexes.sql, which stay. Run it as
-- whoever has run grants.sql:
--
--   psql -v ON_ERROR_STOP=1 -f configs/platform/revoke.sql "$DATABASE_URL"

BEGIN;

-- The triggers go with their function; no notice lists them.
SET LOCAL client_min_messages = warning;

DROP FUNCTION IF EXISTS public.lectern_notify() CASCADE;

DO $$
BEGIN
    -- Who is no superuser must be a member of the role to drop what it owns.
    IF NOT pg_catalog.pg_has_role(current_user, 'lectern', 'USAGE') THEN
        EXECUTE pg_catalog.format('GRANT lectern TO %I', current_user);
    END IF;
END
$$;

DROP OWNED BY lectern CASCADE;
DROP ROLE lectern;

COMMIT;
