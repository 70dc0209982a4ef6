-- What upgrades and restores look at.

-- +goose Up
-- Which programs may work on each version of the schema: those that know compatible_since
-- or a later version; NULL means the version itself. Every migration from this one on
-- writes its own row, in its own transaction.
CREATE TABLE lectern_schema (
    version          INTEGER PRIMARY KEY,
    compatible_since INTEGER,
    applied_at       TEXT NOT NULL
);
INSERT INTO lectern_schema (version, compatible_since, applied_at) VALUES (13, 13, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'));

-- Gateways that are alive, by their heartbeat.
CREATE TABLE lectern_gateways (
    id         TEXT PRIMARY KEY,
    version    TEXT NOT NULL,
    address    TEXT NOT NULL,
    started_at TEXT NOT NULL,
    beat_at    TEXT NOT NULL
);

-- +goose Down
DROP TABLE lectern_gateways;
DROP TABLE lectern_schema;
