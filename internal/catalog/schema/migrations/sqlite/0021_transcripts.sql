-- Transcripts can be searched, and teachers correct captions.

-- +goose Up
-- When a person wrote, or with an empty body removed, these captions; NULL = they are
-- Zoom's, and may be replaced by what Zoom sends later.
ALTER TABLE lectern_captions ADD COLUMN edited_at TEXT;

-- Captions as they are searched: see package fulltext. Each write of captions writes
-- these rows in the same transaction.
CREATE TABLE lectern_transcripts (
    -- 1024 times the recording, and a number below 1024 for each of its languages, so that
    -- a match of the index alone says whose it is.
    id           INTEGER PRIMARY KEY,
    recording_id INTEGER NOT NULL,
    lang         TEXT NOT NULL,
    -- updated_at of the captions.
    captions_at  TEXT NOT NULL,
    positions    BLOB NOT NULL,
    cues         TEXT NOT NULL,
    UNIQUE (recording_id, lang),
    FOREIGN KEY (recording_id, lang) REFERENCES lectern_captions (recording_id, lang) ON DELETE CASCADE
);
-- The index keeps no text, and only which rows have a word; package fulltext knows where.
-- Its tokenizer takes everything beyond ASCII for letters: words come without anything else.
CREATE VIRTUAL TABLE lectern_transcript_words USING fts5(words, content = '', contentless_delete = 1, detail = 'none', tokenize = 'ascii');
-- +goose StatementBegin
CREATE TRIGGER lectern_transcripts_deleted AFTER DELETE ON lectern_transcripts
BEGIN
    DELETE FROM lectern_transcript_words WHERE rowid = OLD.id;
END;
-- +goose StatementEnd
INSERT INTO lectern_schema (version, compatible_since, applied_at) VALUES (21, 13, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'));

-- +goose Down
DELETE FROM lectern_schema WHERE version = 21;
DROP TABLE lectern_transcripts;
DROP TABLE lectern_transcript_words;
ALTER TABLE lectern_captions DROP COLUMN edited_at;
