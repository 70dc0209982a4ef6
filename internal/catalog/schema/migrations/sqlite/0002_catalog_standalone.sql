-- The platform's tables, as far as Lectern uses them, under the same names. The
-- database guards itself: text is never NULL where the platform says '', closed
-- vocabularies are checked, and a row inserted with few columns gets the values
-- the platform would write. Times are RFC 3339 UTC text, 2026-11-20T10:00:00Z.

-- +goose Up
CREATE TABLE accounts_customuser (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    email              TEXT    NOT NULL DEFAULT '' CHECK (length(email) <= 254),
    role               TEXT    NOT NULL DEFAULT 'student' CHECK (role IN ('student', 'teacher', 'admin')),
    is_active          BOOLEAN NOT NULL DEFAULT TRUE CHECK (is_active IN (0, 1)),
    first_name         TEXT    NOT NULL DEFAULT '' CHECK (length(first_name) <= 150),
    last_name          TEXT    NOT NULL DEFAULT '' CHECK (length(last_name) <= 150),
    middle_name        TEXT    NOT NULL DEFAULT '' CHECK (length(middle_name) <= 150),
    zoom_account_id    TEXT    NOT NULL DEFAULT '' CHECK (length(zoom_account_id) <= 255),
    zoom_client_id     TEXT    NOT NULL DEFAULT '' CHECK (length(zoom_client_id) <= 255),
    zoom_client_secret TEXT    NOT NULL DEFAULT '' CHECK (length(zoom_client_secret) <= 255),
    zoom_user_id       TEXT    NOT NULL DEFAULT '' CHECK (length(zoom_user_id) <= 255),
    gdrive_folder_id   TEXT    NOT NULL DEFAULT '' CHECK (length(gdrive_folder_id) <= 255),
    date_joined        TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    created_at         TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    updated_at         TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
);
-- An address is one person's, however it is written; '' is nobody's.
CREATE UNIQUE INDEX accounts_customuser_email_key ON accounts_customuser (lower(email)) WHERE email <> '';

CREATE TABLE schedule_group (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT    NOT NULL DEFAULT '' CHECK (length(name) <= 200),
    teacher_id  INTEGER NOT NULL REFERENCES accounts_customuser (id),
    description TEXT    NOT NULL DEFAULT '',
    created_at  TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    updated_at  TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
);
CREATE INDEX schedule_group_teacher_id ON schedule_group (teacher_id);

CREATE TABLE schedule_group_students (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    group_id      INTEGER NOT NULL REFERENCES schedule_group (id) ON DELETE CASCADE,
    customuser_id INTEGER NOT NULL REFERENCES accounts_customuser (id) ON DELETE CASCADE,
    UNIQUE (group_id, customuser_id)
);
CREATE INDEX schedule_group_students_customuser_id ON schedule_group_students (customuser_id);

CREATE TABLE schedule_lesson (
    id                           INTEGER PRIMARY KEY AUTOINCREMENT,
    title                        TEXT    NOT NULL DEFAULT '' CHECK (length(title) <= 200),
    group_id                     INTEGER NOT NULL REFERENCES schedule_group (id),
    teacher_id                   INTEGER NOT NULL REFERENCES accounts_customuser (id),
    start_time                   TEXT    NOT NULL,
    end_time                     TEXT    NOT NULL,
    ended_at                     TEXT,
    zoom_meeting_id              TEXT    CHECK (length(zoom_meeting_id) <= 100),
    record_lesson                BOOLEAN NOT NULL DEFAULT FALSE CHECK (record_lesson IN (0, 1)),
    recording_available_for_days INTEGER NOT NULL DEFAULT 90,
    is_quick_lesson              BOOLEAN NOT NULL DEFAULT FALSE CHECK (is_quick_lesson IN (0, 1)),
    notes                        TEXT    NOT NULL DEFAULT '',
    created_at                   TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    updated_at                   TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
);
CREATE INDEX schedule_lesson_start ON schedule_lesson (start_time);
CREATE INDEX schedule_lesson_teacher_start ON schedule_lesson (teacher_id, start_time);
CREATE INDEX schedule_lesson_group_start ON schedule_lesson (group_id, start_time);
CREATE INDEX schedule_lesson_meeting ON schedule_lesson (zoom_meeting_id) WHERE zoom_meeting_id <> '';

CREATE TABLE schedule_lessonrecording (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    lesson_id          INTEGER REFERENCES schedule_lesson (id),
    teacher_id         INTEGER REFERENCES accounts_customuser (id),
    title              TEXT    NOT NULL DEFAULT '' CHECK (length(title) <= 255),
    zoom_recording_id  TEXT    NOT NULL DEFAULT '' CHECK (length(zoom_recording_id) <= 100),
    download_url       TEXT    NOT NULL DEFAULT '' CHECK (length(download_url) <= 1024),
    play_url           TEXT    NOT NULL DEFAULT '' CHECK (length(play_url) <= 1024),
    thumbnail_url      TEXT    NOT NULL DEFAULT '' CHECK (length(thumbnail_url) <= 200),
    recording_type     TEXT    NOT NULL DEFAULT 'shared_screen_with_speaker_view' CHECK (length(recording_type) <= 50),
    recording_start    TEXT,
    recording_end      TEXT,
    storage_provider   TEXT    NOT NULL DEFAULT 'gdrive' CHECK (storage_provider IN ('gdrive', 's3', 'azure', 'local', 'zoom')),
    archive_key        TEXT    NOT NULL DEFAULT '' CHECK (length(archive_key) <= 500),
    archive_url        TEXT    NOT NULL DEFAULT '' CHECK (length(archive_url) <= 200),
    archive_size_bytes INTEGER CHECK (archive_size_bytes >= 0),
    archived_at        TEXT,
    gdrive_file_id     TEXT    NOT NULL DEFAULT '' CHECK (length(gdrive_file_id) <= 100),
    gdrive_folder_id   TEXT    NOT NULL DEFAULT '' CHECK (length(gdrive_folder_id) <= 100),
    file_size          INTEGER CHECK (file_size >= 0),
    duration           INTEGER CHECK (duration >= 0),
    status             TEXT    NOT NULL DEFAULT 'processing' CHECK (status IN ('processing', 'ready', 'archived', 'failed', 'deleted')),
    visibility         TEXT    NOT NULL DEFAULT 'lesson_group' CHECK (visibility IN ('lesson_group', 'all_teacher_groups', 'custom_groups', 'custom_students')),
    available_until    TEXT,
    views_count        INTEGER NOT NULL DEFAULT 0 CHECK (views_count >= 0),
    is_deleted         BOOLEAN NOT NULL DEFAULT FALSE CHECK (is_deleted IN (0, 1)),
    deleted_at         TEXT,
    deleted_by_id      INTEGER REFERENCES accounts_customuser (id) ON DELETE SET NULL,
    deletion_reason    TEXT    NOT NULL DEFAULT '' CHECK (length(deletion_reason) <= 255),
    created_at         TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    updated_at         TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
);
-- One row per file of Zoom's in a lesson: what makes taking it up twice impossible.
CREATE UNIQUE INDEX schedule_lessonrecording_lesson_zoom ON schedule_lessonrecording (lesson_id, zoom_recording_id) WHERE zoom_recording_id <> '';
CREATE INDEX schedule_lessonrecording_lesson_id ON schedule_lessonrecording (lesson_id);
CREATE INDEX schedule_lessonrecording_teacher_id ON schedule_lessonrecording (teacher_id);
CREATE INDEX schedule_lessonrecording_deleted_by_id ON schedule_lessonrecording (deleted_by_id);
CREATE INDEX schedule_lessonrecording_status_until ON schedule_lessonrecording (status, available_until);

CREATE TABLE schedule_lessonrecording_allowed_groups (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    lessonrecording_id INTEGER NOT NULL REFERENCES schedule_lessonrecording (id) ON DELETE CASCADE,
    group_id           INTEGER NOT NULL REFERENCES schedule_group (id) ON DELETE CASCADE,
    UNIQUE (lessonrecording_id, group_id)
);
CREATE INDEX schedule_lessonrecording_allowed_groups_group_id ON schedule_lessonrecording_allowed_groups (group_id);

CREATE TABLE schedule_lessonrecording_allowed_students (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    lessonrecording_id INTEGER NOT NULL REFERENCES schedule_lessonrecording (id) ON DELETE CASCADE,
    customuser_id      INTEGER NOT NULL REFERENCES accounts_customuser (id) ON DELETE CASCADE,
    UNIQUE (lessonrecording_id, customuser_id)
);
CREATE INDEX schedule_lessonrecording_allowed_students_customuser_id ON schedule_lessonrecording_allowed_students (customuser_id);

CREATE TABLE schedule_teacherstoragequota (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    teacher_id        INTEGER NOT NULL UNIQUE REFERENCES accounts_customuser (id) ON DELETE CASCADE,
    total_quota_bytes INTEGER NOT NULL DEFAULT 5368709120 CHECK (total_quota_bytes >= 0),
    used_bytes        INTEGER NOT NULL DEFAULT 0 CHECK (used_bytes >= 0),
    recordings_count  INTEGER NOT NULL DEFAULT 0 CHECK (recordings_count >= 0),
    purchased_gb      INTEGER NOT NULL DEFAULT 0 CHECK (purchased_gb >= 0),
    warning_sent      BOOLEAN NOT NULL DEFAULT FALSE CHECK (warning_sent IN (0, 1)),
    last_warning_at   TEXT,
    quota_exceeded    BOOLEAN NOT NULL DEFAULT FALSE CHECK (quota_exceeded IN (0, 1)),
    created_at        TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    updated_at        TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
);

-- +goose Down
DROP TABLE schedule_teacherstoragequota;
DROP TABLE schedule_lessonrecording_allowed_students;
DROP TABLE schedule_lessonrecording_allowed_groups;
DROP TABLE schedule_lessonrecording;
DROP TABLE schedule_lesson;
DROP TABLE schedule_group_students;
DROP TABLE schedule_group;
DROP TABLE accounts_customuser;
