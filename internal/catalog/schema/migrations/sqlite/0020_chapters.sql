-- Chapters of recordings.

-- +goose Up
-- Chapters that Zoom made, and those that the teacher has written instead of them.
CREATE TABLE lectern_chapters (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    recording_id INTEGER NOT NULL REFERENCES schedule_lessonrecording (id) ON DELETE CASCADE,
    edited       BOOLEAN NOT NULL,   -- by the teacher: these count instead of Zoom's, where there are any
    start_ms     INTEGER NOT NULL,
    title        TEXT NOT NULL
);
CREATE INDEX lectern_chapters_recording ON lectern_chapters (recording_id, start_ms);
INSERT INTO lectern_schema (version, compatible_since, applied_at) VALUES (20, 13, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'));

-- +goose Down
DELETE FROM lectern_schema WHERE version = 20;
DROP TABLE lectern_chapters;
