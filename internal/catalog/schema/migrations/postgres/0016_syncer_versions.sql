-- What syncers are, beside that they are alive.

-- +goose Up
ALTER TABLE lectern.lectern_syncers
    -- The program's version; '' of one that does not write it yet.
    ADD COLUMN version text NOT NULL DEFAULT '',
    -- The address of the listener of webhooks; '' of a command, which has none.
    ADD COLUMN address text NOT NULL DEFAULT '';
INSERT INTO lectern.lectern_schema (version, compatible_since, applied_at) VALUES (16, 13, now());

-- +goose Down
DELETE FROM lectern.lectern_schema WHERE version = 16;
ALTER TABLE lectern.lectern_syncers DROP COLUMN version, DROP COLUMN address;
