-- Transcripts can be searched, and teachers correct captions.

-- +goose Up
-- When a person wrote, or with an empty body removed, these captions; NULL = they are
-- Zoom's, and may be replaced by what Zoom sends later.
ALTER TABLE lectern.lectern_captions ADD COLUMN edited_at timestamptz;

-- Captions as they are searched: see package fulltext. Each write of captions writes
-- these rows in the same transaction.
CREATE TABLE lectern.lectern_transcripts (
    -- 1024 times the recording, and a number below 1024 for each of its languages, so that
    -- a match of the index alone says whose it is.
    id           bigint PRIMARY KEY,
    recording_id bigint NOT NULL,
    lang         text NOT NULL,
    -- updated_at of the captions.
    captions_at  timestamptz NOT NULL,
    words        tsvector NOT NULL,
    positions    bytea NOT NULL,
    cues         text NOT NULL,
    UNIQUE (recording_id, lang),
    FOREIGN KEY (recording_id, lang) REFERENCES lectern.lectern_captions (recording_id, lang) ON DELETE CASCADE
);
-- They do not compress.
ALTER TABLE lectern.lectern_transcripts ALTER COLUMN positions SET STORAGE EXTERNAL;
-- Without fastupdate: searches would go through the list of what is not in the index yet.
CREATE INDEX lectern_transcripts_words ON lectern.lectern_transcripts USING gin (words) WITH (fastupdate = off);
INSERT INTO lectern.lectern_schema (version, compatible_since, applied_at) VALUES (21, 13, now());

-- +goose Down
DELETE FROM lectern.lectern_schema WHERE version = 21;
DROP TABLE lectern.lectern_transcripts;
ALTER TABLE lectern.lectern_captions DROP COLUMN edited_at;
