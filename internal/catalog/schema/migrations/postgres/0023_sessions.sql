-- Codes in links begin a session, each once.

-- +goose Up
-- Codes that have begun a session, until they could not be valid any more.
CREATE TABLE lectern.lectern_used_codes (
    id         text PRIMARY KEY,
    expires_ms bigint NOT NULL
);
INSERT INTO lectern.lectern_schema (version, compatible_since, applied_at) VALUES (23, 13, now());

-- +goose Down
DELETE FROM lectern.lectern_schema WHERE version = 23;
DROP TABLE lectern.lectern_used_codes;
