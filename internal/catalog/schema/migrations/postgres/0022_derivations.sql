-- Files that the syncer makes of recordings.

-- +goose Up
-- Which derivation a file of a recording is of, '' for a part or a file of Zoom's, and the
-- name under which it is served.
ALTER TABLE lectern.lectern_recording_files ADD COLUMN derivation text NOT NULL DEFAULT '';
ALTER TABLE lectern.lectern_recording_files ADD COLUMN name text NOT NULL DEFAULT '';

-- How far the files of one kind are that are made of a recording.
CREATE TABLE lectern.lectern_derivations (
    recording_id bigint NOT NULL REFERENCES public.schedule_lessonrecording (id) ON DELETE CASCADE,
    kind         text NOT NULL,              -- poster, storyboard, sound, low, captions
    revision     bigint NOT NULL,           -- of the program that makes them
    source       text NOT NULL,              -- the bytes that they were made of
    tried_at     timestamptz NOT NULL,
    made_at      timestamptz,               -- NULL = they could not be made
    attempts     bigint NOT NULL DEFAULT 0, -- failed ones, of this source by this revision
    retry_at     timestamptz,               -- NULL = made, or given up
    reason       text NOT NULL DEFAULT '',
    detail       text NOT NULL DEFAULT '',
    PRIMARY KEY (recording_id, kind)
);
INSERT INTO lectern.lectern_schema (version, compatible_since, applied_at) VALUES (22, 13, now());

-- +goose Down
DELETE FROM lectern.lectern_schema WHERE version = 22;
DROP TABLE lectern.lectern_derivations;
ALTER TABLE lectern.lectern_recording_files DROP COLUMN name;
ALTER TABLE lectern.lectern_recording_files DROP COLUMN derivation;
