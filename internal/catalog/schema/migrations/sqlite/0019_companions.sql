-- Every file of a meeting is archived beside its recording.

-- +goose Up
-- The extension of a file's name at Zoom, lower case without a dot; '' = unknown.
ALTER TABLE lectern_zoom_files ADD COLUMN extension TEXT NOT NULL DEFAULT '';
-- The version that size, md5 and sha256 are of, as the archive names it; '' = unknown.
ALTER TABLE lectern_recording_files ADD COLUMN archived_version TEXT NOT NULL DEFAULT '';
INSERT INTO lectern_schema (version, compatible_since, applied_at) VALUES (19, 13, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'));

-- +goose Down
DELETE FROM lectern_schema WHERE version = 19;
ALTER TABLE lectern_recording_files DROP COLUMN archived_version;
ALTER TABLE lectern_zoom_files DROP COLUMN extension;
