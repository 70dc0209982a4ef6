-- Requests to look for a lesson's recording at Zoom again: the gateway leaves them,
-- a syncer takes them. One per lesson is enough.

-- +goose Up
CREATE TABLE lectern_resyncs (
    lesson_id    INTEGER PRIMARY KEY REFERENCES schedule_lesson (id) ON DELETE CASCADE,
    recording_id INTEGER NOT NULL,
    teacher_id   INTEGER NOT NULL,
    requested_at TEXT NOT NULL
);

-- +goose Down
DROP TABLE lectern_resyncs;
