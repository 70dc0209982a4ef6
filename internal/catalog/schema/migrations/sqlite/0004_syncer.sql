-- What the syncer remembers. River's tables are made and kept by River's own
-- migrations, right after these.

-- +goose Up
-- Zoom apps that have a secret token of their own, one per teacher. The id stands in
-- the webhook's path; secrets are sealed with LECTERN_SECRETS_KEY.
CREATE TABLE lectern_zoom_tenants (
    id         TEXT PRIMARY KEY,
    teacher_id INTEGER NOT NULL REFERENCES accounts_customuser (id) ON DELETE CASCADE,
    account_id TEXT NOT NULL DEFAULT '',
    secrets    TEXT NOT NULL,
    created_at TEXT NOT NULL
);

-- Webhooks that were authentic, each once, without their tokens and passcodes.
CREATE TABLE lectern_zoom_events (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    identity     TEXT NOT NULL UNIQUE,
    event        TEXT NOT NULL,
    account_id   TEXT NOT NULL DEFAULT '',
    teacher_id   INTEGER NOT NULL DEFAULT 0,
    meeting_uuid TEXT NOT NULL DEFAULT '',
    event_ts     INTEGER NOT NULL DEFAULT 0,
    received_at  TEXT NOT NULL,
    deliveries   INTEGER NOT NULL DEFAULT 1,
    body         TEXT NOT NULL,
    sealed_token TEXT NOT NULL DEFAULT '',
    state        TEXT NOT NULL DEFAULT 'new',
    note         TEXT NOT NULL DEFAULT ''
);
CREATE INDEX lectern_zoom_events_meeting ON lectern_zoom_events (meeting_uuid);

-- Recorded meetings as Zoom tells of them, and the lesson each belongs to.
CREATE TABLE lectern_zoom_meetings (
    uuid          TEXT PRIMARY KEY,
    account_id    TEXT NOT NULL DEFAULT '',
    meeting_id    TEXT NOT NULL DEFAULT '',
    host_id       TEXT NOT NULL DEFAULT '',
    teacher_id    INTEGER NOT NULL DEFAULT 0,
    topic         TEXT NOT NULL DEFAULT '',
    start_time    TEXT,
    seconds       INTEGER NOT NULL DEFAULT 0,
    lesson_id     INTEGER REFERENCES schedule_lesson (id) ON DELETE SET NULL,
    note          TEXT NOT NULL DEFAULT '',
    sealed_token  TEXT NOT NULL DEFAULT '',
    first_seen_at TEXT NOT NULL,
    last_seen_at  TEXT NOT NULL,
    alerted_at    TEXT
);
CREATE INDEX lectern_zoom_meetings_lesson ON lectern_zoom_meetings (lesson_id);
CREATE INDEX lectern_zoom_meetings_meeting ON lectern_zoom_meetings (meeting_id);

CREATE TABLE lectern_zoom_files (
    meeting_uuid TEXT NOT NULL REFERENCES lectern_zoom_meetings (uuid) ON DELETE CASCADE,
    file_id      TEXT NOT NULL,
    type         TEXT NOT NULL,
    view         TEXT NOT NULL DEFAULT '',
    status       TEXT NOT NULL DEFAULT '',
    start_time   TEXT,
    end_time     TEXT,
    size         INTEGER NOT NULL DEFAULT 0,
    download_url TEXT NOT NULL DEFAULT '',
    archived_at  TEXT,
    trashed_at   TEXT,
    gone_at      TEXT,
    PRIMARY KEY (meeting_uuid, file_id)
);

-- Until when each teacher's recordings at Zoom have been looked through.
CREATE TABLE lectern_zoom_cursors (
    teacher_id INTEGER PRIMARY KEY,
    reached_at TEXT NOT NULL
);

-- How each lesson gets its recording. It outlives lesson and recording: what lies in
-- the archive must be known although the platform forgot it.
CREATE TABLE lectern_ingests (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    lesson_id        INTEGER UNIQUE REFERENCES schedule_lesson (id) ON DELETE SET NULL,
    recording_id     INTEGER REFERENCES schedule_lessonrecording (id) ON DELETE SET NULL,
    teacher_id       INTEGER NOT NULL DEFAULT 0,
    state            TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'working', 'done', 'failed', 'removed')),
    reason           TEXT NOT NULL DEFAULT '',
    detail           TEXT NOT NULL DEFAULT '',
    wanted           INTEGER NOT NULL DEFAULT 1,
    attempts         INTEGER NOT NULL DEFAULT 0,
    failing_since    TEXT,
    owner            TEXT NOT NULL DEFAULT '',
    provider         TEXT NOT NULL DEFAULT '',
    archive_key      TEXT NOT NULL DEFAULT '',
    archived_parts   TEXT NOT NULL DEFAULT '',
    archived_version TEXT NOT NULL DEFAULT '',
    size             INTEGER NOT NULL DEFAULT 0,
    md5              TEXT NOT NULL DEFAULT '',
    verified_at      TEXT,
    need             INTEGER NOT NULL DEFAULT 0,
    created_at       TEXT NOT NULL,
    updated_at       TEXT NOT NULL
);
CREATE INDEX lectern_ingests_recording ON lectern_ingests (recording_id);
CREATE INDEX lectern_ingests_state ON lectern_ingests (state);

-- One line per recording of what it costs its teacher: reserved before the download,
-- charged when it is archived, released once.
CREATE TABLE lectern_quota_charges (
    recording_id INTEGER PRIMARY KEY REFERENCES schedule_lessonrecording (id) ON DELETE CASCADE,
    teacher_id   INTEGER NOT NULL,
    bytes        INTEGER NOT NULL DEFAULT 0,
    reserved     INTEGER NOT NULL DEFAULT 0,
    state        TEXT NOT NULL CHECK (state IN ('reserved', 'charged', 'released')),
    updated_at   TEXT NOT NULL
);
CREATE INDEX lectern_quota_charges_teacher ON lectern_quota_charges (teacher_id);

-- Bytes of removed recordings that have been purged.
CREATE TABLE lectern_purges (
    recording_id INTEGER PRIMARY KEY,
    provider     TEXT NOT NULL,
    archive_key  TEXT NOT NULL,
    purged_at    TEXT,
    failed_at    TEXT,
    detail       TEXT NOT NULL DEFAULT ''
);

-- Captions, kept beside the recording: WebVTT, not counted against the quota.
CREATE TABLE lectern_captions (
    recording_id INTEGER NOT NULL REFERENCES schedule_lessonrecording (id) ON DELETE CASCADE,
    lang         TEXT NOT NULL,
    label        TEXT NOT NULL,
    body         TEXT NOT NULL,
    updated_at   TEXT NOT NULL,
    PRIMARY KEY (recording_id, lang)
);

-- What happened, for `syncer explain`.
CREATE TABLE lectern_history (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    at           TEXT NOT NULL,
    ingest_id    INTEGER NOT NULL DEFAULT 0,
    recording_id INTEGER NOT NULL DEFAULT 0,
    meeting_uuid TEXT NOT NULL DEFAULT '',
    what         TEXT NOT NULL,
    detail       TEXT NOT NULL DEFAULT ''
);
CREATE INDEX lectern_history_ingest ON lectern_history (ingest_id);
CREATE INDEX lectern_history_recording ON lectern_history (recording_id);
CREATE INDEX lectern_history_meeting ON lectern_history (meeting_uuid);

-- The state that each alert last told of, so that only changes are told.
CREATE TABLE lectern_alerts (
    key   TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    since TEXT NOT NULL,
    text  TEXT NOT NULL DEFAULT ''
);

-- The periodic jobs' runs and their summaries.
CREATE TABLE lectern_runs (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    kind        TEXT NOT NULL,
    started_at  TEXT NOT NULL,
    finished_at TEXT,
    outcome     TEXT NOT NULL DEFAULT '',
    summary     TEXT NOT NULL DEFAULT ''
);
CREATE INDEX lectern_runs_kind ON lectern_runs (kind, started_at);

-- Syncers that are alive, by their heartbeat.
CREATE TABLE lectern_syncers (
    id         TEXT PRIMARY KEY,
    started_at TEXT NOT NULL,
    beat_at    TEXT NOT NULL
);

-- +goose Down
DROP TABLE lectern_syncers;
DROP TABLE lectern_runs;
DROP TABLE lectern_alerts;
DROP TABLE lectern_history;
DROP TABLE lectern_captions;
DROP TABLE lectern_purges;
DROP TABLE lectern_quota_charges;
DROP TABLE lectern_ingests;
DROP TABLE lectern_zoom_cursors;
DROP TABLE lectern_zoom_files;
DROP TABLE lectern_zoom_meetings;
DROP TABLE lectern_zoom_events;
DROP TABLE lectern_zoom_tenants;
