-- Transcripts can be searched, and teachers correct captions.

-- +goose Up
-- When a person wrote these captions; NULL = they are Zoom's, and may be replaced by what
-- Zoom sends later. What a person wrote has updated_at = edited_at.
ALTER TABLE lectern_captions ADD COLUMN edited_at TEXT;
-- Looks for captions without a transcript, and reads no body.
CREATE INDEX lectern_captions_updated ON lectern_captions (recording_id, lang, updated_at);

-- Captions that a person removed: Zoom's do not come back.
CREATE TABLE lectern_captions_removed (
    recording_id INTEGER NOT NULL REFERENCES schedule_lessonrecording (id) ON DELETE CASCADE,
    lang         TEXT NOT NULL,
    removed_at   TEXT NOT NULL,
    PRIMARY KEY (recording_id, lang)
);
-- Both rules are the database's, since syncers that do not know edited_at may run beside
-- newer ones.
-- +goose StatementBegin
CREATE TRIGGER lectern_captions_stay_removed BEFORE INSERT ON lectern_captions
WHEN NEW.edited_at IS NULL AND EXISTS (SELECT 1 FROM lectern_captions_removed x WHERE x.recording_id = NEW.recording_id AND x.lang = NEW.lang)
BEGIN
    SELECT RAISE(IGNORE);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER lectern_captions_stay_edited BEFORE UPDATE ON lectern_captions
WHEN OLD.edited_at IS NOT NULL AND NEW.updated_at IS NOT NEW.edited_at
BEGIN
    SELECT RAISE(IGNORE);
END;
-- +goose StatementEnd

-- Captions as they are searched: see package fulltext. Each write of captions writes
-- these rows in the same transaction. A row is never changed but for its block; other
-- captions are another row.
CREATE TABLE lectern_transcripts (
    id           INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again
    recording_id INTEGER NOT NULL,
    lang         TEXT NOT NULL,
    -- updated_at of the captions.
    captions_at  TEXT NOT NULL,
    -- The block that has its postings; until there is one, NULL, and positions has them.
    block        INTEGER,
    positions    BLOB,
    cues         TEXT NOT NULL,
    UNIQUE (recording_id, lang),
    FOREIGN KEY (recording_id, lang) REFERENCES lectern_captions (recording_id, lang) ON DELETE CASCADE
);
CREATE INDEX lectern_transcripts_block ON lectern_transcripts (block);
-- Some transcripts that were put together.
CREATE TABLE lectern_search_blocks (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    transcripts BLOB NOT NULL -- their ids and recordings
);
-- Where the transcripts of a block have a stem: the first places of each, and all others.
CREATE TABLE lectern_search_postings (
    block INTEGER NOT NULL REFERENCES lectern_search_blocks (id) ON DELETE CASCADE,
    stem  TEXT NOT NULL,
    first BLOB NOT NULL,
    rest  BLOB NOT NULL,
    PRIMARY KEY (block, stem)
) WITHOUT ROWID;
-- Deleted transcripts that a block still has.
CREATE TABLE lectern_search_gone (
    id    INTEGER PRIMARY KEY,
    block INTEGER NOT NULL REFERENCES lectern_search_blocks (id) ON DELETE CASCADE
);
CREATE INDEX lectern_search_gone_block ON lectern_search_gone (block);
-- +goose StatementBegin
CREATE TRIGGER lectern_transcripts_deleted AFTER DELETE ON lectern_transcripts WHEN OLD.block IS NOT NULL
BEGIN
    INSERT INTO lectern_search_gone (id, block) VALUES (OLD.id, OLD.block);
END;
-- +goose StatementEnd
INSERT INTO lectern_schema (version, compatible_since, applied_at) VALUES (21, 13, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'));

-- +goose Down
DELETE FROM lectern_schema WHERE version = 21;
DROP TRIGGER lectern_captions_stay_removed;
DROP TRIGGER lectern_captions_stay_edited;
DROP TABLE lectern_transcripts;
DROP TABLE lectern_search_gone;
DROP TABLE lectern_search_postings;
DROP TABLE lectern_search_blocks;
DROP TABLE lectern_captions_removed;
DROP INDEX lectern_captions_updated;
ALTER TABLE lectern_captions DROP COLUMN edited_at;
