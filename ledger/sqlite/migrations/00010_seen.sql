-- +goose Up
-- What commands remember for their next run: see ledger.Memo.
CREATE TABLE memos (
    memo_key TEXT   PRIMARY KEY,
    at       BIGINT NOT NULL,
    body     BLOB   NOT NULL
) WITHOUT ROWID;

-- What was seen of names from this host: see ledger.Sighting. addresses is a JSON list.
CREATE TABLE sightings (
    name            TEXT   PRIMARY KEY,
    addresses       TEXT   NOT NULL,
    served_at       BIGINT NOT NULL,
    elsewhere_since BIGINT NOT NULL,
    dead_since      BIGINT NOT NULL,
    looked_at       BIGINT NOT NULL
) WITHOUT ROWID;

-- What is still to be told to people: see ledger.Message.
CREATE TABLE messages (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    channel    TEXT   NOT NULL,
    subject    TEXT   NOT NULL,
    body       BLOB   NOT NULL,
    created_at BIGINT NOT NULL,
    next_at    BIGINT NOT NULL,
    tries      BIGINT NOT NULL,
    problem    TEXT   NOT NULL
);

-- +goose Down
DROP TABLE messages;
DROP TABLE sightings;
DROP TABLE memos;
