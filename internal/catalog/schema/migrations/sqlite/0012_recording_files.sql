-- Files of a recording beside its own, and what of a file at Zoom was archived.

-- +goose Up
-- A recording plays the file that its row names. What else is archived of it is here: the
-- parts that could not be joined, and whatever accompanies the lesson. archive_key is
-- written before the first byte goes up; only a verified file that is not removed belongs to the recording.
CREATE TABLE lectern_recording_files (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    recording_id INTEGER NOT NULL REFERENCES schedule_lessonrecording (id) ON DELETE CASCADE,
    kind         TEXT NOT NULL,                 -- part; companions: transcript, captions, chat, timeline, audio, view, summary, chapters, poll, poster, storyboard, other
    position     INTEGER NOT NULL DEFAULT 0,    -- of files of one kind: a part's place in time
    label        TEXT NOT NULL DEFAULT '',      -- for people
    lang         TEXT NOT NULL DEFAULT '',      -- BCP 47; '' = none
    content_type TEXT NOT NULL DEFAULT '',
    shared       BOOLEAN NOT NULL DEFAULT FALSE,-- the teacher shows a companion to students
    provider     TEXT NOT NULL,
    archive_key  TEXT NOT NULL,
    size         INTEGER NOT NULL DEFAULT 0,    -- bytes
    md5          TEXT NOT NULL DEFAULT '',      -- lower-case hex
    sha256       TEXT NOT NULL DEFAULT '',
    duration_ms  INTEGER NOT NULL DEFAULT 0,    -- 0 = it does not play
    zoom_file    TEXT NOT NULL DEFAULT '',      -- made of: meeting uuid, '/', file id; '' = made by the syncer
    tried        TEXT NOT NULL DEFAULT '',      -- a part's: the fingerprint of the last join that failed
    created_at   TEXT NOT NULL,
    verified_at  TEXT,                          -- the archive's checksum has matched
    removed_at   TEXT,                          -- replaced: the bytes are to be deleted
    failed_at    TEXT,                          -- deleting them failed last
    purged_at    TEXT                           -- the bytes are deleted
);
CREATE UNIQUE INDEX lectern_recording_files_key ON lectern_recording_files (provider, archive_key);
CREATE INDEX lectern_recording_files_recording ON lectern_recording_files (recording_id, kind, position);

-- The size that Zoom listed of what was archived: one that changes later is another
-- version. Of files archived before, the size now listed is the best that is known.
ALTER TABLE lectern_zoom_files ADD COLUMN archived_size INTEGER NOT NULL DEFAULT 0;
UPDATE lectern_zoom_files SET archived_size = size WHERE archived_at IS NOT NULL;

-- +goose Down
ALTER TABLE lectern_zoom_files DROP COLUMN archived_size;
DROP TABLE lectern_recording_files;
