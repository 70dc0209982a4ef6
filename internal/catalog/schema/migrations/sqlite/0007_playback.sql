-- What gateways count together: starts of playback, against the limit per user and
-- hour, and views, each once per user and recording for a while. Both forget by
-- age. Nothing refers to the catalog's rows: one that goes must not be held up, and
-- what is counted must not be held up by one that is gone.

-- +goose Up
-- Times are whole milliseconds since 1970, so that both databases compare numbers.
CREATE TABLE lectern_starts (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id      INTEGER NOT NULL,
    recording_id INTEGER NOT NULL,
    started_ms   INTEGER NOT NULL
);
CREATE INDEX lectern_starts_user ON lectern_starts (user_id, started_ms);
CREATE INDEX lectern_starts_age ON lectern_starts (started_ms);

CREATE TABLE lectern_views (
    user_id      INTEGER NOT NULL,
    recording_id INTEGER NOT NULL,
    counted_ms   INTEGER NOT NULL,
    PRIMARY KEY (user_id, recording_id)
) WITHOUT ROWID;
CREATE INDEX lectern_views_age ON lectern_views (counted_ms);

-- +goose Down
DROP TABLE lectern_views;
DROP TABLE lectern_starts;
