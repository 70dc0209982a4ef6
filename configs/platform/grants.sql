-- Beside the platform: a database role with the rights that Lectern needs and no others.
--
-- Run it as the owner of the platform's tables, who may create roles and schemas (or as a superuser), before
-- `gateway migrate up`, and again after an upgrade; running it twice changes nothing:
--
--   psql -v ON_ERROR_STOP=1 -f configs/platform/grants.sql "$DATABASE_URL"
--
-- Then give the role a password of its own (\password lectern in psql) and let
-- LECTERN_DATABASE_URL name it.
--
-- The rights are on columns of the tables themselves: a view would block later
-- migrations of the platform. Not among them: password hashes, phone numbers,
-- chat ids, the tokens of other services, Zoom's start URLs (they make one host).
-- Nothing on any other table, and DELETE only on the two lists of who may watch.

BEGIN;

DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = 'lectern') THEN
        CREATE ROLE lectern LOGIN;
    END IF;
END
$$;

-- Lectern's own tables. The role owns the schema, so that it can migrate itself.
-- Where an administrator has made the schema before, the role may use what is there.
DO $$
DECLARE
    member boolean := pg_catalog.pg_has_role(current_user, 'lectern', 'USAGE');
BEGIN
    IF pg_catalog.to_regnamespace('lectern') IS NULL THEN
        -- Who is no superuser must be a member of the role that is to own the schema.
        IF NOT member THEN
            EXECUTE pg_catalog.format('GRANT lectern TO %I', current_user);
        END IF;
        CREATE SCHEMA lectern AUTHORIZATION lectern;
        IF NOT member THEN
            EXECUTE pg_catalog.format('REVOKE lectern FROM %I', current_user);
        END IF;
    ELSIF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner
                      WHERE n.nspname = 'lectern' AND r.rolname = 'lectern') THEN
        GRANT USAGE, CREATE ON SCHEMA lectern TO lectern;
        GRANT ALL ON ALL TABLES IN SCHEMA lectern TO lectern;
        GRANT ALL ON ALL SEQUENCES IN SCHEMA lectern TO lectern;
    END IF;
END
$$;

GRANT USAGE ON SCHEMA public TO lectern;

-- People: who they are, whether they may come in, and a teacher's own Zoom app and
-- Drive folder, which the syncer works with.
GRANT SELECT (id, email, role, is_active, first_name, last_name, middle_name,
              zoom_account_id, zoom_client_id, zoom_client_secret, zoom_user_id, gdrive_folder_id,
              date_joined, created_at, updated_at)
    ON public.accounts_customuser TO lectern;

-- Groups and who is in them.
GRANT SELECT (id, name, teacher_id, description, created_at, updated_at) ON public.schedule_group TO lectern;
GRANT SELECT (id, group_id, customuser_id) ON public.schedule_group_students TO lectern;

-- Lessons: read, and their real end written when Zoom reports it.
GRANT SELECT (id, title, group_id, teacher_id, start_time, end_time, ended_at, zoom_meeting_id,
              record_lesson, recording_available_for_days, is_quick_lesson, notes, created_at, updated_at)
    ON public.schedule_lesson TO lectern;
GRANT UPDATE (ended_at, updated_at) ON public.schedule_lesson TO lectern;

-- Recordings, their access lists and the quotas are written by Lectern. A recording is
-- never deleted, only marked.
GRANT SELECT, INSERT, UPDATE ON public.schedule_lessonrecording TO lectern;
GRANT SELECT, INSERT, DELETE ON public.schedule_lessonrecording_allowed_groups TO lectern;
GRANT SELECT, INSERT, DELETE ON public.schedule_lessonrecording_allowed_students TO lectern;
GRANT SELECT, INSERT, UPDATE ON public.schedule_teacherstoragequota TO lectern;

-- Lectern's own tables refer to rows of the platform's (and go, or forget, with them).
GRANT REFERENCES (id) ON public.accounts_customuser, public.schedule_group, public.schedule_lesson,
    public.schedule_lessonrecording TO lectern;

-- Subscriptions, where the platform has them: whether a teacher's is active.
DO $$
BEGIN
    IF pg_catalog.to_regclass('public.accounts_subscription') IS NOT NULL THEN
        GRANT SELECT (id, user_id, status, expires_at, zoom_addon_expires_at) ON public.accounts_subscription TO lectern;
    END IF;
END
$$;

-- Ids of new rows: databases created under an older Django draw them from a sequence
-- that the writer must be allowed to use; identity columns need nothing, and a right
-- too many on their sequence does no harm.
DO $$
DECLARE
    name text;
    seq  text;
BEGIN
    FOREACH name IN ARRAY ARRAY['schedule_lessonrecording', 'schedule_lessonrecording_allowed_groups',
                                'schedule_lessonrecording_allowed_students', 'schedule_teacherstoragequota'] LOOP
        seq := pg_catalog.pg_get_serial_sequence('public.' || name, 'id');
        IF seq IS NOT NULL THEN
            EXECUTE 'GRANT USAGE ON SEQUENCE ' || seq || ' TO lectern';
        END IF;
    END LOOP;
END
$$;

COMMIT;
