-- Files that the syncer makes of recordings.

-- +goose Up
-- Which derivation a file of a recording is of, '' for a part or a file of Zoom's, and the
-- name under which it is served.
ALTER TABLE lectern_recording_files ADD COLUMN derivation TEXT NOT NULL DEFAULT '';
ALTER TABLE lectern_recording_files ADD COLUMN name TEXT NOT NULL DEFAULT '';

-- How far the files of one kind are that are made of a recording.
CREATE TABLE lectern_derivations (
    recording_id INTEGER NOT NULL REFERENCES schedule_lessonrecording (id) ON DELETE CASCADE,
    kind         TEXT NOT NULL,              -- poster, storyboard, sound, low, captions
    revision     INTEGER NOT NULL,           -- of the program that makes them
    source       TEXT NOT NULL,              -- the bytes that they were made of
    tried_at     TEXT NOT NULL,
    made_at      TEXT,               -- NULL = they could not be made
    attempts     INTEGER NOT NULL DEFAULT 0, -- failed ones, of this source by this revision
    retry_at     TEXT,               -- NULL = made, or given up
    reason       TEXT NOT NULL DEFAULT '',
    detail       TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (recording_id, kind)
);
INSERT INTO lectern_schema (version, compatible_since, applied_at) VALUES (22, 13, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'));

-- +goose Down
DELETE FROM lectern_schema WHERE version = 22;
DROP TABLE lectern_derivations;
ALTER TABLE lectern_recording_files DROP COLUMN name;
ALTER TABLE lectern_recording_files DROP COLUMN derivation;
