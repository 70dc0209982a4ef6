-- A new version of an archived recording has a key of its own until it is published.

-- +goose Up
-- A key of an ingest that no recording names: of the version that is uploaded, or of one
-- that is to be removed.
ALTER TABLE lectern_ingests ADD COLUMN staged_key TEXT NOT NULL DEFAULT '';
-- The key that the recording had before the published version, and gets again.
ALTER TABLE lectern_ingests ADD COLUMN original_key TEXT NOT NULL DEFAULT '';
INSERT INTO lectern_schema (version, compatible_since, applied_at) VALUES (15, 13, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'));

-- +goose Down
DELETE FROM lectern_schema WHERE version = 15;
ALTER TABLE lectern_ingests DROP COLUMN staged_key;
ALTER TABLE lectern_ingests DROP COLUMN original_key;
