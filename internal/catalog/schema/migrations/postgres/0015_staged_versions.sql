-- A new version of an archived recording has a key of its own until it is published.

-- +goose Up
ALTER TABLE lectern.lectern_ingests
    -- A key of the ingest that no recording names: of the version that is uploaded, or of
    -- one that is to be removed.
    ADD COLUMN staged_key   text NOT NULL DEFAULT '',
    -- The key that the recording had before the published version, and gets again.
    ADD COLUMN original_key text NOT NULL DEFAULT '';
INSERT INTO lectern.lectern_schema (version, compatible_since, applied_at) VALUES (15, 13, now());

-- +goose Down
DELETE FROM lectern.lectern_schema WHERE version = 15;
ALTER TABLE lectern.lectern_ingests DROP COLUMN staged_key, DROP COLUMN original_key;
