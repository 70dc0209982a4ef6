-- How far users are in recordings.

-- +goose Up
CREATE TABLE lectern_watch_states (
    user_id      INTEGER NOT NULL REFERENCES accounts_customuser (id) ON DELETE CASCADE,
    recording_id INTEGER NOT NULL REFERENCES schedule_lessonrecording (id) ON DELETE CASCADE,
    position_ms  INTEGER NOT NULL,
    -- When position_ms arrived, in milliseconds since 1970.
    arrived_ms   INTEGER NOT NULL,
    -- What was played: see package watchstate.
    played       BLOB NOT NULL,
    PRIMARY KEY (user_id, recording_id)
) WITHOUT ROWID;
CREATE INDEX lectern_watch_states_recording ON lectern_watch_states (recording_id);
INSERT INTO lectern_schema (version, compatible_since, applied_at) VALUES (24, 13, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'));

-- +goose Down
DELETE FROM lectern_schema WHERE version = 24;
DROP TABLE lectern_watch_states;
