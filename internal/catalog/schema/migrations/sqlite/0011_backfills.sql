-- Backfills: recordings of past years that are still at Zoom, listed month by month from
-- the oldest on and archived behind whatever is new.

-- +goose Up
CREATE TABLE lectern_backfills (
    teacher_id  INTEGER PRIMARY KEY,
    first_date  TEXT NOT NULL,              -- UTC dates as 2026-11-20, both included
    last_date   TEXT NOT NULL,
    next_date   TEXT NOT NULL,              -- the first that is not listed yet
    rate        INTEGER NOT NULL DEFAULT 0, -- of downloads, bytes per second; 0 = unbounded
    hours       TEXT NOT NULL DEFAULT '',   -- as 20-06, local time; '' = any
    state       TEXT NOT NULL,              -- running, done, failed
    faults      INTEGER NOT NULL DEFAULT 0, -- in a row
    retry_at    TEXT,
    reason      TEXT NOT NULL DEFAULT '',
    detail      TEXT NOT NULL DEFAULT '',
    started_at  TEXT NOT NULL,
    finished_at TEXT
);

-- What a backfill has listed. A meeting without requested_at is not looked at yet.
CREATE TABLE lectern_backfill_meetings (
    meeting_uuid TEXT PRIMARY KEY REFERENCES lectern_zoom_meetings (uuid) ON DELETE CASCADE,
    teacher_id   INTEGER NOT NULL,
    began_at     TEXT,
    requested_at TEXT
);
CREATE INDEX lectern_backfill_meetings_next ON lectern_backfill_meetings (teacher_id, requested_at, began_at);

-- +goose Down
DROP TABLE lectern_backfill_meetings;
DROP TABLE lectern_backfills;
