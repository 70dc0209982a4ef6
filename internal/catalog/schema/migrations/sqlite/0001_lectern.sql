-- What is Lectern's own. The layout says whether the catalog's tables are
-- Lectern's (standalone) or the platform's; on SQLite they are always Lectern's.

-- +goose Up
CREATE TABLE lectern_layout (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    layout TEXT NOT NULL CHECK (layout IN ('standalone', 'platform'))
);

-- +goose Down
DROP TABLE lectern_layout;
