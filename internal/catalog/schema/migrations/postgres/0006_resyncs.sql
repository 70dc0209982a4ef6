-- Requests to look for a lesson's recording at Zoom again: the gateway leaves them,
-- a syncer takes them. One per lesson is enough.

-- +goose Up
CREATE TABLE lectern.lectern_resyncs (
    lesson_id    bigint PRIMARY KEY REFERENCES public.schedule_lesson (id) ON DELETE CASCADE,
    recording_id bigint NOT NULL,
    teacher_id   bigint NOT NULL,
    requested_at timestamptz NOT NULL
);

-- +goose Down
DROP TABLE lectern.lectern_resyncs;
