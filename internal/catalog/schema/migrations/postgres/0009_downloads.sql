-- What downloads taught of each file at Zoom, and when what has failed is taken up
-- again: nothing that Zoom or its file host answers is final.

-- +goose Up
ALTER TABLE lectern.lectern_zoom_files
    -- How long the file plays, in milliseconds; 0 until it was downloaded and probed.
    ADD COLUMN measured_ms    bigint NOT NULL DEFAULT 0,
    -- Why the last download gave no recording, and how often in a row.
    ADD COLUMN fault          text NOT NULL DEFAULT '',
    ADD COLUMN fault_detail   text NOT NULL DEFAULT '',
    ADD COLUMN faults         bigint NOT NULL DEFAULT 0,
    ADD COLUMN faulted_at     timestamptz,
    ADD COLUMN retry_at       timestamptz,
    -- A size other than the listed one that whole downloads had, and how often in a row.
    ADD COLUMN received_size  bigint NOT NULL DEFAULT 0,
    ADD COLUMN received_count bigint NOT NULL DEFAULT 0,
    -- Zoom has not listed the file since then, without an event that says why.
    ADD COLUMN unlisted_at    timestamptz;

ALTER TABLE lectern.lectern_ingests
    -- How often reconciliation has taken it up again, when it last did, and when it may
    -- again.
    ADD COLUMN retakes    bigint NOT NULL DEFAULT 0,
    ADD COLUMN retaken_at timestamptz,
    ADD COLUMN retake_at  timestamptz;

-- +goose Down
ALTER TABLE lectern.lectern_ingests
    DROP COLUMN retakes, DROP COLUMN retaken_at, DROP COLUMN retake_at;
ALTER TABLE lectern.lectern_zoom_files
    DROP COLUMN measured_ms, DROP COLUMN fault, DROP COLUMN fault_detail, DROP COLUMN faults, DROP COLUMN faulted_at,
    DROP COLUMN retry_at, DROP COLUMN received_size, DROP COLUMN received_count, DROP COLUMN unlisted_at;
-- Files without an id of their own are new with this version.
DELETE FROM lectern.lectern_zoom_files WHERE position('@' in file_id) > 0;
