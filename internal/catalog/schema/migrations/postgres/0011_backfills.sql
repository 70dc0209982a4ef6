-- Backfills: recordings of past years that are still at Zoom, listed month by month from
-- the oldest on and archived behind whatever is new.

-- +goose Up
CREATE TABLE lectern.lectern_backfills (
    teacher_id  bigint PRIMARY KEY,
    first_date  text NOT NULL,              -- UTC dates as 2026-11-20, both included
    last_date   text NOT NULL,
    next_date   text NOT NULL,              -- the first that is not listed yet
    rate        bigint NOT NULL DEFAULT 0, -- of downloads, bytes per second; 0 = unbounded
    hours       text NOT NULL DEFAULT '',   -- as 20-06, local time; '' = any
    state       text NOT NULL,              -- running, done, failed
    faults      bigint NOT NULL DEFAULT 0, -- in a row
    retry_at    timestamptz,
    reason      text NOT NULL DEFAULT '',
    detail      text NOT NULL DEFAULT '',
    started_at  timestamptz NOT NULL,
    finished_at timestamptz
);

-- What a backfill has listed. A meeting without requested_at is not looked at yet.
CREATE TABLE lectern.lectern_backfill_meetings (
    meeting_uuid text PRIMARY KEY REFERENCES lectern.lectern_zoom_meetings (uuid) ON DELETE CASCADE,
    teacher_id   bigint NOT NULL,
    began_at     timestamptz,
    requested_at timestamptz
);
CREATE INDEX lectern_backfill_meetings_next ON lectern.lectern_backfill_meetings (teacher_id, requested_at, began_at);

-- +goose Down
DROP TABLE lectern.lectern_backfill_meetings;
DROP TABLE lectern.lectern_backfills;
