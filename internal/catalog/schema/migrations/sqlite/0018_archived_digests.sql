-- What players and download managers check a whole download against.

-- +goose Up
-- The SHA-256 of the bytes that size, md5 and archived_version are of, in lower-case hex;
-- '' of what was archived before it was kept.
ALTER TABLE lectern_ingests ADD COLUMN sha256 TEXT NOT NULL DEFAULT '';
INSERT INTO lectern_schema (version, compatible_since, applied_at) VALUES (18, 13, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'));

-- +goose Down
DELETE FROM lectern_schema WHERE version = 18;
ALTER TABLE lectern_ingests DROP COLUMN sha256;
