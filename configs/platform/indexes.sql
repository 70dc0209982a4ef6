-- Beside the platform: two small indexes for lists of recordings.
--
-- Optional, and safe to leave out: every list is found by the platform's own indexes
-- (a test holds that against 100,000 recordings). These make a student's list cheaper
-- where teachers have thousands of lessons: the query looks for recordings of each lesson
-- that are for all of the teacher's groups, and these indexes hold only those.
--
-- Run it as the owner of the platform's tables, outside a transaction; the tables stay
-- writable meanwhile:
--
--   psql -v ON_ERROR_STOP=1 -f configs/platform/indexes.sql "$DATABASE_URL"
--
-- To remove them: DROP INDEX CONCURRENTLY of both.

CREATE INDEX CONCURRENTLY IF NOT EXISTS schedule_lessonrecording_all_groups_lesson
    ON public.schedule_lessonrecording (lesson_id) WHERE visibility = 'all_teacher_groups';
CREATE INDEX CONCURRENTLY IF NOT EXISTS schedule_lessonrecording_all_groups_teacher
    ON public.schedule_lessonrecording (teacher_id) WHERE visibility = 'all_teacher_groups' AND lesson_id IS NULL;
