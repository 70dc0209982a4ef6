-- Recordings without a lesson, and what people decide about them. An ingest belongs to
-- a lesson, or to one meeting whose recording is its teacher's own.

-- +goose Up
ALTER TABLE lectern_ingests ADD COLUMN meeting_uuid TEXT;
CREATE UNIQUE INDEX lectern_ingests_meeting ON lectern_ingests (meeting_uuid);
-- assigned: a person said which lesson the meeting belongs to. separate: its recording
-- is no segment of the lesson's, but one beside it.
ALTER TABLE lectern_zoom_meetings ADD COLUMN assigned BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE lectern_zoom_meetings ADD COLUMN separate BOOLEAN NOT NULL DEFAULT FALSE;

-- +goose Down
ALTER TABLE lectern_zoom_meetings DROP COLUMN separate;
ALTER TABLE lectern_zoom_meetings DROP COLUMN assigned;
DROP INDEX lectern_ingests_meeting;
ALTER TABLE lectern_ingests DROP COLUMN meeting_uuid;
