-- Codes in links begin a session, each once.

-- +goose Up
-- Codes that have begun a session, until they could not be valid any more.
CREATE TABLE lectern_used_codes (
    id         TEXT PRIMARY KEY,
    expires_ms INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO lectern_schema (version, compatible_since, applied_at) VALUES (23, 13, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'));

-- +goose Down
DELETE FROM lectern_schema WHERE version = 23;
DROP TABLE lectern_used_codes;
