-- What syncers are, beside that they are alive.

-- +goose Up
-- The program's version; '' of one that does not write it yet.
ALTER TABLE lectern_syncers ADD COLUMN version TEXT NOT NULL DEFAULT '';
-- The address of the listener of webhooks; '' of a command, which has none.
ALTER TABLE lectern_syncers ADD COLUMN address TEXT NOT NULL DEFAULT '';
INSERT INTO lectern_schema (version, compatible_since, applied_at) VALUES (16, 13, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'));

-- +goose Down
DELETE FROM lectern_schema WHERE version = 16;
ALTER TABLE lectern_syncers DROP COLUMN version;
ALTER TABLE lectern_syncers DROP COLUMN address;
