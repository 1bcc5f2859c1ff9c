-- Certificates that this ledger's commands revoked: a lineage that was kept is due at once, and is not shown as valid.
-- +goose Up
CREATE TABLE revocations (
    sha256     TEXT PRIMARY KEY,
    serial     TEXT   NOT NULL,
    lineage    TEXT   NOT NULL,
    reason     TEXT   NOT NULL,
    revoked_at BIGINT NOT NULL
);

-- +goose Down
DROP TABLE revocations;
