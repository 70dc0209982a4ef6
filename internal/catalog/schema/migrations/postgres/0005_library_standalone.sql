-- What the lists of recordings are found by. Beside the platform its own indexes
-- serve; configs/platform/indexes.sql has these for those who want them there.

-- +goose Up
CREATE INDEX schedule_lessonrecording_all_groups_lesson ON public.schedule_lessonrecording (lesson_id) WHERE visibility = 'all_teacher_groups';
CREATE INDEX schedule_lessonrecording_all_groups_teacher ON public.schedule_lessonrecording (teacher_id) WHERE visibility = 'all_teacher_groups' AND lesson_id IS NULL;
CREATE INDEX schedule_teacherstoragequota_used ON public.schedule_teacherstoragequota (used_bytes DESC);

-- +goose Down
DROP INDEX public.schedule_teacherstoragequota_used;
DROP INDEX public.schedule_lessonrecording_all_groups_teacher;
DROP INDEX public.schedule_lessonrecording_all_groups_lesson;
