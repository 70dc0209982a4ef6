-- Recordings without a lesson, and what people decide about them. An ingest belongs to
-- a lesson, or to one meeting whose recording is its teacher's own.

-- +goose Up
ALTER TABLE lectern.lectern_ingests ADD COLUMN meeting_uuid text;
CREATE UNIQUE INDEX lectern_ingests_meeting ON lectern.lectern_ingests (meeting_uuid);
-- assigned: a person said which lesson the meeting belongs to. separate: its recording
-- is no segment of the lesson's, but one beside it.
ALTER TABLE lectern.lectern_zoom_meetings ADD COLUMN assigned boolean NOT NULL DEFAULT false;
ALTER TABLE lectern.lectern_zoom_meetings ADD COLUMN separate boolean NOT NULL DEFAULT false;

-- +goose Down
ALTER TABLE lectern.lectern_zoom_meetings DROP COLUMN separate;
ALTER TABLE lectern.lectern_zoom_meetings DROP COLUMN assigned;
DROP INDEX lectern.lectern_ingests_meeting;
ALTER TABLE lectern.lectern_ingests DROP COLUMN meeting_uuid;
