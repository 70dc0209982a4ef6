-- What upgrades and restores look at.

-- +goose Up
-- Which programs may work on each version of the schema: those that know compatible_since
-- or a later version; NULL means the version itself. Every migration from this one on
-- writes its own row, in its own transaction.
CREATE TABLE lectern.lectern_schema (
    version          bigint PRIMARY KEY,
    compatible_since bigint,
    applied_at       timestamptz NOT NULL
);
INSERT INTO lectern.lectern_schema (version, compatible_since, applied_at) VALUES (13, 13, now());

-- Gateways that are alive, by their heartbeat.
CREATE TABLE lectern.lectern_gateways (
    id         text PRIMARY KEY,
    version    text NOT NULL,
    address    text NOT NULL,
    started_at timestamptz NOT NULL,
    beat_at    timestamptz NOT NULL
);

-- +goose Down
DROP TABLE lectern.lectern_gateways;
DROP TABLE lectern.lectern_schema;
