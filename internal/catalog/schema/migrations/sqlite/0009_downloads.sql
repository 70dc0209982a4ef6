-- What downloads taught of each file at Zoom, and when what has failed is taken up
-- again: nothing that Zoom or its file host answers is final.

-- +goose Up
-- How long the file plays, in milliseconds; 0 until it was downloaded and probed.
ALTER TABLE lectern_zoom_files ADD COLUMN measured_ms INTEGER NOT NULL DEFAULT 0;
-- Why the last download gave no recording, and how often in a row.
ALTER TABLE lectern_zoom_files ADD COLUMN fault TEXT NOT NULL DEFAULT '';
ALTER TABLE lectern_zoom_files ADD COLUMN fault_detail TEXT NOT NULL DEFAULT '';
ALTER TABLE lectern_zoom_files ADD COLUMN faults INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lectern_zoom_files ADD COLUMN faulted_at TEXT;
ALTER TABLE lectern_zoom_files ADD COLUMN retry_at TEXT;
-- A size other than the listed one that whole downloads had, and how often in a row.
ALTER TABLE lectern_zoom_files ADD COLUMN received_size INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lectern_zoom_files ADD COLUMN received_count INTEGER NOT NULL DEFAULT 0;
-- Zoom has not listed the file since then, without an event that says why.
ALTER TABLE lectern_zoom_files ADD COLUMN unlisted_at TEXT;

-- How often reconciliation has taken an ingest up again, when it last did, and when it
-- may again.
ALTER TABLE lectern_ingests ADD COLUMN retakes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lectern_ingests ADD COLUMN retaken_at TEXT;
ALTER TABLE lectern_ingests ADD COLUMN retake_at TEXT;

-- +goose Down
ALTER TABLE lectern_ingests DROP COLUMN retakes;
ALTER TABLE lectern_ingests DROP COLUMN retaken_at;
ALTER TABLE lectern_ingests DROP COLUMN retake_at;
ALTER TABLE lectern_zoom_files DROP COLUMN measured_ms;
ALTER TABLE lectern_zoom_files DROP COLUMN fault;
ALTER TABLE lectern_zoom_files DROP COLUMN fault_detail;
ALTER TABLE lectern_zoom_files DROP COLUMN faults;
ALTER TABLE lectern_zoom_files DROP COLUMN faulted_at;
ALTER TABLE lectern_zoom_files DROP COLUMN retry_at;
ALTER TABLE lectern_zoom_files DROP COLUMN received_size;
ALTER TABLE lectern_zoom_files DROP COLUMN received_count;
ALTER TABLE lectern_zoom_files DROP COLUMN unlisted_at;
-- Files without an id of their own are new with this version.
DELETE FROM lectern_zoom_files WHERE instr(file_id, '@') > 0;
