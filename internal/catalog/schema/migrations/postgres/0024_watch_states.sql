-- How far users are in recordings.

-- +goose Up
CREATE TABLE lectern.lectern_watch_states (
    user_id      bigint NOT NULL REFERENCES public.accounts_customuser (id) ON DELETE CASCADE,
    recording_id bigint NOT NULL REFERENCES public.schedule_lessonrecording (id) ON DELETE CASCADE,
    position_ms  bigint NOT NULL,
    -- When position_ms arrived, in milliseconds since 1970.
    arrived_ms   bigint NOT NULL,
    -- What was played: see package watchstate.
    played       bytea NOT NULL,
    PRIMARY KEY (user_id, recording_id)
);
CREATE INDEX lectern_watch_states_recording ON lectern.lectern_watch_states (recording_id);
INSERT INTO lectern.lectern_schema (version, compatible_since, applied_at) VALUES (24, 13, now());

-- +goose Down
DELETE FROM lectern.lectern_schema WHERE version = 24;
DROP TABLE lectern.lectern_watch_states;
