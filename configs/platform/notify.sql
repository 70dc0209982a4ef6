-- Beside the platform: notify every gateway at once when access may have changed.
--
-- Without this a gateway uses cached rows for LECTERN_AUTH_MAX_STALENESS (30 s unless
-- set). With it, a student removed from a group, a teacher changed, a
-- recording deleted or expired takes effect within a second.
--
-- Optional. Run it as the owner of the platform's tables, again whenever you like:
--
--   psql -v ON_ERROR_STOP=1 -f configs/platform/notify.sql "$DATABASE_URL"
--
-- It adds one function and two triggers to each of seven tables, and changes no
-- column and no row. INSERT and DELETE call the function once a statement. UPDATE
-- calls it for each row; it compares the columns named in the trigger and stays
-- silent unless one has changed, so that counting a view or a login notifies nobody.
-- Equal notifications of one transaction are sent once.
--
-- The columns are compared by name, inside the function, and not in a WHEN or an
-- UPDATE OF: those would make the triggers depend on the columns, and the
-- platform's later migrations could neither drop them nor change their type. A
-- column that is gone is simply not compared.
--
-- To remove it: DROP FUNCTION public.lectern_notify() CASCADE;

BEGIN;

-- A trigger that is not there yet is not worth a notice.
SET LOCAL client_min_messages = warning;

CREATE OR REPLACE FUNCTION public.lectern_notify() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before pg_catalog.jsonb;
    after  pg_catalog.jsonb;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        before := pg_catalog.to_jsonb(OLD);
        after := pg_catalog.to_jsonb(NEW);
        IF NOT EXISTS (SELECT 1 FROM pg_catalog.unnest(TG_ARGV) AS name
                       WHERE before -> name IS DISTINCT FROM after -> name) THEN
            RETURN NULL;
        END IF;
    END IF;
    PERFORM pg_catalog.pg_notify('lectern_changed', TG_TABLE_NAME);
    RETURN NULL;
END
$$;

DROP TRIGGER IF EXISTS lectern_notify ON public.accounts_customuser;
CREATE TRIGGER lectern_notify AFTER INSERT OR DELETE OR TRUNCATE ON public.accounts_customuser
    FOR EACH STATEMENT EXECUTE FUNCTION public.lectern_notify();
DROP TRIGGER IF EXISTS lectern_notify_update ON public.accounts_customuser;
CREATE TRIGGER lectern_notify_update AFTER UPDATE ON public.accounts_customuser
    FOR EACH ROW EXECUTE FUNCTION public.lectern_notify('id', 'role', 'is_active');

DROP TRIGGER IF EXISTS lectern_notify ON public.schedule_group;
CREATE TRIGGER lectern_notify AFTER INSERT OR DELETE OR TRUNCATE ON public.schedule_group
    FOR EACH STATEMENT EXECUTE FUNCTION public.lectern_notify();
DROP TRIGGER IF EXISTS lectern_notify_update ON public.schedule_group;
CREATE TRIGGER lectern_notify_update AFTER UPDATE ON public.schedule_group
    FOR EACH ROW EXECUTE FUNCTION public.lectern_notify('id', 'name', 'teacher_id');

DROP TRIGGER IF EXISTS lectern_notify ON public.schedule_group_students;
CREATE TRIGGER lectern_notify AFTER INSERT OR DELETE OR TRUNCATE ON public.schedule_group_students
    FOR EACH STATEMENT EXECUTE FUNCTION public.lectern_notify();
DROP TRIGGER IF EXISTS lectern_notify_update ON public.schedule_group_students;
CREATE TRIGGER lectern_notify_update AFTER UPDATE ON public.schedule_group_students
    FOR EACH ROW EXECUTE FUNCTION public.lectern_notify('group_id', 'customuser_id');

DROP TRIGGER IF EXISTS lectern_notify ON public.schedule_lesson;
CREATE TRIGGER lectern_notify AFTER INSERT OR DELETE OR TRUNCATE ON public.schedule_lesson
    FOR EACH STATEMENT EXECUTE FUNCTION public.lectern_notify();
DROP TRIGGER IF EXISTS lectern_notify_update ON public.schedule_lesson;
CREATE TRIGGER lectern_notify_update AFTER UPDATE ON public.schedule_lesson
    FOR EACH ROW EXECUTE FUNCTION public.lectern_notify('id', 'title', 'group_id', 'teacher_id');

DROP TRIGGER IF EXISTS lectern_notify ON public.schedule_lessonrecording;
CREATE TRIGGER lectern_notify AFTER INSERT OR DELETE OR TRUNCATE ON public.schedule_lessonrecording
    FOR EACH STATEMENT EXECUTE FUNCTION public.lectern_notify();
DROP TRIGGER IF EXISTS lectern_notify_update ON public.schedule_lessonrecording;
CREATE TRIGGER lectern_notify_update AFTER UPDATE ON public.schedule_lessonrecording
    FOR EACH ROW EXECUTE FUNCTION public.lectern_notify('id', 'lesson_id', 'teacher_id', 'title', 'status', 'visibility', 'is_deleted', 'available_until', 'storage_provider', 'gdrive_file_id', 'archive_key', 'file_size', 'duration');

DROP TRIGGER IF EXISTS lectern_notify ON public.schedule_lessonrecording_allowed_groups;
CREATE TRIGGER lectern_notify AFTER INSERT OR DELETE OR TRUNCATE ON public.schedule_lessonrecording_allowed_groups
    FOR EACH STATEMENT EXECUTE FUNCTION public.lectern_notify();
DROP TRIGGER IF EXISTS lectern_notify_update ON public.schedule_lessonrecording_allowed_groups;
CREATE TRIGGER lectern_notify_update AFTER UPDATE ON public.schedule_lessonrecording_allowed_groups
    FOR EACH ROW EXECUTE FUNCTION public.lectern_notify('lessonrecording_id', 'group_id');

DROP TRIGGER IF EXISTS lectern_notify ON public.schedule_lessonrecording_allowed_students;
CREATE TRIGGER lectern_notify AFTER INSERT OR DELETE OR TRUNCATE ON public.schedule_lessonrecording_allowed_students
    FOR EACH STATEMENT EXECUTE FUNCTION public.lectern_notify();
DROP TRIGGER IF EXISTS lectern_notify_update ON public.schedule_lessonrecording_allowed_students;
CREATE TRIGGER lectern_notify_update AFTER UPDATE ON public.schedule_lessonrecording_allowed_students
    FOR EACH ROW EXECUTE FUNCTION public.lectern_notify('lessonrecording_id', 'customuser_id');

COMMIT;
