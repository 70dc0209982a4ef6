-- What is Lectern's own lives in the schema lectern, which exists by now. The
-- layout says whether the catalog's tables in public are Lectern's (standalone)
-- or the platform's.

-- +goose Up
CREATE TABLE lectern.lectern_layout (
    id     integer PRIMARY KEY CHECK (id = 1),
    layout text NOT NULL CHECK (layout IN ('standalone', 'platform'))
);

-- +goose Down
DROP TABLE lectern.lectern_layout;
