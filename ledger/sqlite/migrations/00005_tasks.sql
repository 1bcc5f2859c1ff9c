-- What a command means to do beside orders, until it is done: see ledger.Task. ended_at is 0 until then.
-- +goose Up
CREATE TABLE tasks (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id   BIGINT NOT NULL,
    kind     TEXT   NOT NULL,
    subject  TEXT   NOT NULL,
    step     TEXT   NOT NULL,
    payload  TEXT   NOT NULL,
    begun_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL
);
CREATE INDEX tasks_open ON tasks (id) WHERE ended_at = 0;

-- +goose Down
DROP TABLE tasks;
