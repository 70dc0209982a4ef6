-- Announce what a gateway may have cached, so that a change takes effect within
-- a second. Updates are announced row by row and only when a column that streaming
-- looks at has changed (a view counted is no news); PostgreSQL sends equal
-- notifications of one transaction once. Beside the platform the same triggers
-- are configs/platform/notify.sql, which an operator may apply.

-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION lectern.lectern_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('lectern_changed', TG_TABLE_NAME);
    RETURN NULL;
END
$$;
-- +goose StatementEnd

CREATE TRIGGER lectern_notify AFTER INSERT OR DELETE OR TRUNCATE ON public.accounts_customuser
    FOR EACH STATEMENT EXECUTE FUNCTION lectern.lectern_notify();
CREATE TRIGGER lectern_notify_update AFTER UPDATE ON public.accounts_customuser FOR EACH ROW
    WHEN ((OLD.id, OLD.role, OLD.is_active) IS DISTINCT FROM (NEW.id, NEW.role, NEW.is_active))
    EXECUTE FUNCTION lectern.lectern_notify();

CREATE TRIGGER lectern_notify AFTER INSERT OR DELETE OR TRUNCATE ON public.schedule_group
    FOR EACH STATEMENT EXECUTE FUNCTION lectern.lectern_notify();
CREATE TRIGGER lectern_notify_update AFTER UPDATE ON public.schedule_group FOR EACH ROW
    WHEN ((OLD.id, OLD.name, OLD.teacher_id) IS DISTINCT FROM (NEW.id, NEW.name, NEW.teacher_id))
    EXECUTE FUNCTION lectern.lectern_notify();

CREATE TRIGGER lectern_notify AFTER INSERT OR DELETE OR TRUNCATE ON public.schedule_group_students
    FOR EACH STATEMENT EXECUTE FUNCTION lectern.lectern_notify();
CREATE TRIGGER lectern_notify_update AFTER UPDATE ON public.schedule_group_students FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION lectern.lectern_notify();

CREATE TRIGGER lectern_notify AFTER INSERT OR DELETE OR TRUNCATE ON public.schedule_lesson
    FOR EACH STATEMENT EXECUTE FUNCTION lectern.lectern_notify();
CREATE TRIGGER lectern_notify_update AFTER UPDATE ON public.schedule_lesson FOR EACH ROW
    WHEN ((OLD.id, OLD.title, OLD.group_id, OLD.teacher_id) IS DISTINCT FROM (NEW.id, NEW.title, NEW.group_id, NEW.teacher_id))
    EXECUTE FUNCTION lectern.lectern_notify();

CREATE TRIGGER lectern_notify AFTER INSERT OR DELETE OR TRUNCATE ON public.schedule_lessonrecording
    FOR EACH STATEMENT EXECUTE FUNCTION lectern.lectern_notify();
CREATE TRIGGER lectern_notify_update AFTER UPDATE ON public.schedule_lessonrecording FOR EACH ROW
    WHEN ((OLD.id, OLD.lesson_id, OLD.teacher_id, OLD.title, OLD.status, OLD.visibility, OLD.is_deleted,
           OLD.available_until, OLD.storage_provider, OLD.gdrive_file_id, OLD.archive_key, OLD.file_size, OLD.duration)
        IS DISTINCT FROM
          (NEW.id, NEW.lesson_id, NEW.teacher_id, NEW.title, NEW.status, NEW.visibility, NEW.is_deleted,
           NEW.available_until, NEW.storage_provider, NEW.gdrive_file_id, NEW.archive_key, NEW.file_size, NEW.duration))
    EXECUTE FUNCTION lectern.lectern_notify();

CREATE TRIGGER lectern_notify AFTER INSERT OR DELETE OR TRUNCATE ON public.schedule_lessonrecording_allowed_groups
    FOR EACH STATEMENT EXECUTE FUNCTION lectern.lectern_notify();
CREATE TRIGGER lectern_notify_update AFTER UPDATE ON public.schedule_lessonrecording_allowed_groups FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION lectern.lectern_notify();

CREATE TRIGGER lectern_notify AFTER INSERT OR DELETE OR TRUNCATE ON public.schedule_lessonrecording_allowed_students
    FOR EACH STATEMENT EXECUTE FUNCTION lectern.lectern_notify();
CREATE TRIGGER lectern_notify_update AFTER UPDATE ON public.schedule_lessonrecording_allowed_students FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION lectern.lectern_notify();

-- +goose Down
DROP TRIGGER lectern_notify ON public.accounts_customuser;
DROP TRIGGER lectern_notify_update ON public.accounts_customuser;
DROP TRIGGER lectern_notify ON public.schedule_group;
DROP TRIGGER lectern_notify_update ON public.schedule_group;
DROP TRIGGER lectern_notify ON public.schedule_group_students;
DROP TRIGGER lectern_notify_update ON public.schedule_group_students;
DROP TRIGGER lectern_notify ON public.schedule_lesson;
DROP TRIGGER lectern_notify_update ON public.schedule_lesson;
DROP TRIGGER lectern_notify ON public.schedule_lessonrecording;
DROP TRIGGER lectern_notify_update ON public.schedule_lessonrecording;
DROP TRIGGER lectern_notify ON public.schedule_lessonrecording_allowed_groups;
DROP TRIGGER lectern_notify_update ON public.schedule_lessonrecording_allowed_groups;
DROP TRIGGER lectern_notify ON public.schedule_lessonrecording_allowed_students;
DROP TRIGGER lectern_notify_update ON public.schedule_lessonrecording_allowed_students;
DROP FUNCTION lectern.lectern_notify();
