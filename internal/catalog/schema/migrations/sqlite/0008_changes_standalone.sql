-- Count what a gateway may have cached, so that a change made by another process
-- (a catalog applied, a recording archived) takes effect within a second. There
-- is no NOTIFY in SQLite: gateways look at the number. It counts on only when a column
-- that streaming looks at has changed; a view counted is no news.

-- +goose Up
CREATE TABLE lectern_changes (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    n  INTEGER NOT NULL
);
INSERT INTO lectern_changes (id, n) VALUES (1, 0);

-- +goose StatementBegin
CREATE TRIGGER lectern_changed_insert_accounts_customuser AFTER INSERT ON accounts_customuser
BEGIN
    UPDATE lectern_changes SET n = n + 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER lectern_changed_delete_accounts_customuser AFTER DELETE ON accounts_customuser
BEGIN
    UPDATE lectern_changes SET n = n + 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER lectern_changed_update_accounts_customuser AFTER UPDATE ON accounts_customuser
    WHEN (OLD.id, OLD.role, OLD.is_active)
        IS NOT (NEW.id, NEW.role, NEW.is_active)
BEGIN
    UPDATE lectern_changes SET n = n + 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER lectern_changed_insert_schedule_group AFTER INSERT ON schedule_group
BEGIN
    UPDATE lectern_changes SET n = n + 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER lectern_changed_delete_schedule_group AFTER DELETE ON schedule_group
BEGIN
    UPDATE lectern_changes SET n = n + 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER lectern_changed_update_schedule_group AFTER UPDATE ON schedule_group
    WHEN (OLD.id, OLD.name, OLD.teacher_id)
        IS NOT (NEW.id, NEW.name, NEW.teacher_id)
BEGIN
    UPDATE lectern_changes SET n = n + 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER lectern_changed_insert_schedule_group_students AFTER INSERT ON schedule_group_students
BEGIN
    UPDATE lectern_changes SET n = n + 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER lectern_changed_delete_schedule_group_students AFTER DELETE ON schedule_group_students
BEGIN
    UPDATE lectern_changes SET n = n + 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER lectern_changed_update_schedule_group_students AFTER UPDATE ON schedule_group_students
    WHEN (OLD.group_id, OLD.customuser_id)
        IS NOT (NEW.group_id, NEW.customuser_id)
BEGIN
    UPDATE lectern_changes SET n = n + 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER lectern_changed_insert_schedule_lesson AFTER INSERT ON schedule_lesson
BEGIN
    UPDATE lectern_changes SET n = n + 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER lectern_changed_delete_schedule_lesson AFTER DELETE ON schedule_lesson
BEGIN
    UPDATE lectern_changes SET n = n + 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER lectern_changed_update_schedule_lesson AFTER UPDATE ON schedule_lesson
    WHEN (OLD.id, OLD.title, OLD.group_id, OLD.teacher_id)
        IS NOT (NEW.id, NEW.title, NEW.group_id, NEW.teacher_id)
BEGIN
    UPDATE lectern_changes SET n = n + 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER lectern_changed_insert_schedule_lessonrecording AFTER INSERT ON schedule_lessonrecording
BEGIN
    UPDATE lectern_changes SET n = n + 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER lectern_changed_delete_schedule_lessonrecording AFTER DELETE ON schedule_lessonrecording
BEGIN
    UPDATE lectern_changes SET n = n + 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER lectern_changed_update_schedule_lessonrecording AFTER UPDATE ON schedule_lessonrecording
    WHEN (OLD.id, OLD.lesson_id, OLD.teacher_id, OLD.title, OLD.status, OLD.visibility, OLD.is_deleted, OLD.available_until, OLD.storage_provider, OLD.gdrive_file_id, OLD.archive_key, OLD.file_size, OLD.duration)
        IS NOT (NEW.id, NEW.lesson_id, NEW.teacher_id, NEW.title, NEW.status, NEW.visibility, NEW.is_deleted, NEW.available_until, NEW.storage_provider, NEW.gdrive_file_id, NEW.archive_key, NEW.file_size, NEW.duration)
BEGIN
    UPDATE lectern_changes SET n = n + 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER lectern_changed_insert_schedule_lessonrecording_allowed_groups AFTER INSERT ON schedule_lessonrecording_allowed_groups
BEGIN
    UPDATE lectern_changes SET n = n + 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER lectern_changed_delete_schedule_lessonrecording_allowed_groups AFTER DELETE ON schedule_lessonrecording_allowed_groups
BEGIN
    UPDATE lectern_changes SET n = n + 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER lectern_changed_update_schedule_lessonrecording_allowed_groups AFTER UPDATE ON schedule_lessonrecording_allowed_groups
    WHEN (OLD.lessonrecording_id, OLD.group_id)
        IS NOT (NEW.lessonrecording_id, NEW.group_id)
BEGIN
    UPDATE lectern_changes SET n = n + 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER lectern_changed_insert_schedule_lessonrecording_allowed_students AFTER INSERT ON schedule_lessonrecording_allowed_students
BEGIN
    UPDATE lectern_changes SET n = n + 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER lectern_changed_delete_schedule_lessonrecording_allowed_students AFTER DELETE ON schedule_lessonrecording_allowed_students
BEGIN
    UPDATE lectern_changes SET n = n + 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER lectern_changed_update_schedule_lessonrecording_allowed_students AFTER UPDATE ON schedule_lessonrecording_allowed_students
    WHEN (OLD.lessonrecording_id, OLD.customuser_id)
        IS NOT (NEW.lessonrecording_id, NEW.customuser_id)
BEGIN
    UPDATE lectern_changes SET n = n + 1;
END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER lectern_changed_insert_accounts_customuser;
DROP TRIGGER lectern_changed_delete_accounts_customuser;
DROP TRIGGER lectern_changed_update_accounts_customuser;
DROP TRIGGER lectern_changed_insert_schedule_group;
DROP TRIGGER lectern_changed_delete_schedule_group;
DROP TRIGGER lectern_changed_update_schedule_group;
DROP TRIGGER lectern_changed_insert_schedule_group_students;
DROP TRIGGER lectern_changed_delete_schedule_group_students;
DROP TRIGGER lectern_changed_update_schedule_group_students;
DROP TRIGGER lectern_changed_insert_schedule_lesson;
DROP TRIGGER lectern_changed_delete_schedule_lesson;
DROP TRIGGER lectern_changed_update_schedule_lesson;
DROP TRIGGER lectern_changed_insert_schedule_lessonrecording;
DROP TRIGGER lectern_changed_delete_schedule_lessonrecording;
DROP TRIGGER lectern_changed_update_schedule_lessonrecording;
DROP TRIGGER lectern_changed_insert_schedule_lessonrecording_allowed_groups;
DROP TRIGGER lectern_changed_delete_schedule_lessonrecording_allowed_groups;
DROP TRIGGER lectern_changed_update_schedule_lessonrecording_allowed_groups;
DROP TRIGGER lectern_changed_insert_schedule_lessonrecording_allowed_students;
DROP TRIGGER lectern_changed_delete_schedule_lessonrecording_allowed_students;
DROP TRIGGER lectern_changed_update_schedule_lessonrecording_allowed_students;
DROP TABLE lectern_changes;
