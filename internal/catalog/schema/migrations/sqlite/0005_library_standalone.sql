-- What the lists of recordings are found by.

-- +goose Up
CREATE INDEX schedule_lessonrecording_all_groups_lesson ON schedule_lessonrecording (lesson_id) WHERE visibility = 'all_teacher_groups';
CREATE INDEX schedule_lessonrecording_all_groups_teacher ON schedule_lessonrecording (teacher_id) WHERE visibility = 'all_teacher_groups' AND lesson_id IS NULL;
CREATE INDEX schedule_teacherstoragequota_used ON schedule_teacherstoragequota (used_bytes DESC);

-- +goose Down
DROP INDEX schedule_teacherstoragequota_used;
DROP INDEX schedule_lessonrecording_all_groups_teacher;
DROP INDEX schedule_lessonrecording_all_groups_lesson;
