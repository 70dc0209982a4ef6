-- Recordings move from one archive to another.

-- +goose Up
-- Which process moves a recording. A lease whose beat_at is old is a dead process's.
CREATE TABLE lectern_moves (
    recording_id INTEGER PRIMARY KEY,
    owner        TEXT NOT NULL,
    beat_at      TEXT NOT NULL
);

-- Copies of archived files in other archives. A copy is made and verified, then the
-- recording is switched to it, and later the file that it was made of is removed. A copy
-- that was abandoned is removed itself. The rows outlive their recordings: what they name
-- has to be removed in any case.
CREATE TABLE lectern_copies (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    recording_id      INTEGER NOT NULL,
    file_id           INTEGER NOT NULL DEFAULT 0,  -- of lectern_recording_files; 0 = the file that the recording's row names
    from_provider     TEXT NOT NULL,
    from_key          TEXT NOT NULL,
    from_version      TEXT NOT NULL DEFAULT '',    -- as the origin names it; '' = unknown
    from_modified     TEXT,
    to_provider       TEXT NOT NULL,
    to_key            TEXT NOT NULL,               -- written before the first byte goes up
    to_version        TEXT NOT NULL DEFAULT '',
    size              INTEGER NOT NULL DEFAULT 0,  -- bytes
    md5               TEXT NOT NULL DEFAULT '',    -- lower-case hex
    sha256            TEXT NOT NULL DEFAULT '',
    -- Whose bytes they are: the object under which viewers and caches know them, which is
    -- that of the first of several moves. '' = the copy has an identity of its own.
    original_provider TEXT NOT NULL DEFAULT '',
    original_key      TEXT NOT NULL DEFAULT '',
    original_version  TEXT NOT NULL DEFAULT '',
    original_modified TEXT,
    created_at        TEXT NOT NULL,
    verified_at       TEXT,
    switched_at       TEXT,                        -- the recording names the copy
    abandoned_at      TEXT,                        -- no recording names the copy, or not any more
    removed_at        TEXT,                        -- what is to be removed of it is removed, or is kept
    failed_at         TEXT,                        -- removing it failed last
    detail            TEXT NOT NULL DEFAULT ''
);
CREATE INDEX lectern_copies_recording ON lectern_copies (recording_id, file_id);
CREATE INDEX lectern_copies_open ON lectern_copies (id) WHERE removed_at IS NULL;
INSERT INTO lectern_schema (version, compatible_since, applied_at) VALUES (17, 13, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'));

-- +goose Down
DELETE FROM lectern_schema WHERE version = 17;
DROP TABLE lectern_copies;
DROP TABLE lectern_moves;
