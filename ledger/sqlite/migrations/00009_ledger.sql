-- +goose Up
-- The whole schema of the first ledgers in use. What changed it since has a file of its own; the numbers below this one were development
-- versions, which were never released. Times are microseconds since 1970 UTC; 0 is "never". Lists and requests are JSON.
CREATE TABLE book (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    host       TEXT    NOT NULL,
    created_at BIGINT  NOT NULL
);

CREATE TABLE accounts (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    server     TEXT   NOT NULL,
    key_id     TEXT   NOT NULL,
    url        TEXT   NOT NULL,
    orders_url TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    shows_processing BIGINT NOT NULL,
    unlisted_at      BIGINT NOT NULL,
    UNIQUE (server, url)
);

CREATE TABLE runs (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    command    TEXT   NOT NULL,
    pid        BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at   BIGINT NOT NULL,
    outcome    TEXT   NOT NULL,
    exit_code  BIGINT NOT NULL,
    detail     TEXT   NOT NULL,
    round      BIGINT NOT NULL
);

CREATE TABLE orders (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    version          BIGINT NOT NULL,
    account_id       BIGINT NOT NULL REFERENCES accounts (id),
    lineage          TEXT   NOT NULL,
    name_key         TEXT   NOT NULL,
    profile          TEXT   NOT NULL,
    state            TEXT   NOT NULL,
    request          TEXT   NOT NULL,
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL,
    settled_at       BIGINT NOT NULL,
    not_before       BIGINT NOT NULL,
    superseded       BIGINT NOT NULL,
    releasing        BIGINT NOT NULL,
    missing_since    BIGINT NOT NULL,
    url              TEXT   NOT NULL,
    finalize_url     TEXT   NOT NULL,
    certificate_url  TEXT   NOT NULL,
    ca_status        TEXT   NOT NULL,
    expires_at       BIGINT NOT NULL,
    replaces         TEXT   NOT NULL,
    create_sent_at   BIGINT NOT NULL,
    create_sends     BIGINT NOT NULL,
    key_path         TEXT   NOT NULL,
    key_sha256       TEXT   NOT NULL,
    csr_path         TEXT   NOT NULL,
    csr_sha256       TEXT   NOT NULL,
    finalize_sent_at BIGINT NOT NULL,
    chain            TEXT   NOT NULL,
    alternates       TEXT   NOT NULL,
    installed_at     BIGINT NOT NULL,
    redeploys        BIGINT NOT NULL,
    deployed_at      BIGINT NOT NULL,
    class            TEXT   NOT NULL,
    sentence         TEXT   NOT NULL,
    remedy           TEXT   NOT NULL,
    problem          TEXT   NOT NULL
);
-- Invariant I2. The condition is a literal wherever it is queried, so that the index serves.
CREATE UNIQUE INDEX orders_live ON orders (account_id, lineage, profile, name_key)
    WHERE state IN ('creating', 'pending', 'ready', 'processing', 'valid');
CREATE INDEX orders_unsettled ON orders (id) WHERE settled_at = 0;
CREATE INDEX orders_phantom ON orders (id) WHERE state = 'phantom';
CREATE INDEX orders_lineage ON orders (lineage, id);
CREATE INDEX orders_url ON orders (url) WHERE url <> '';
-- Each newOrder asks for the orders of its name set three times; without it, each reads the whole ledger.
CREATE INDEX orders_names ON orders (name_key);

-- The names of the live orders alone, so that those which share a name with another are found at once.
CREATE TABLE order_names (
    name     TEXT   NOT NULL,
    order_id BIGINT NOT NULL REFERENCES orders (id),
    PRIMARY KEY (name, order_id)
) WITHOUT ROWID;
CREATE INDEX order_names_order ON order_names (order_id);

CREATE TABLE authorizations (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    order_id         BIGINT NOT NULL REFERENCES orders (id),
    url              TEXT   NOT NULL,
    name             TEXT   NOT NULL,
    wildcard         BIGINT NOT NULL,
    status           TEXT   NOT NULL,
    expires_at       BIGINT NOT NULL,
    seen_at          BIGINT NOT NULL,
    challenge_url    TEXT   NOT NULL,
    challenge_type   TEXT   NOT NULL,
    challenge_status TEXT   NOT NULL,
    token            TEXT   NOT NULL,
    answer_sent_at   BIGINT NOT NULL,
    answers          BIGINT NOT NULL,
    answered         BIGINT NOT NULL,
    placement        TEXT   NOT NULL,
    error_type       TEXT   NOT NULL,
    error_detail     TEXT   NOT NULL
);
CREATE INDEX authorizations_order ON authorizations (order_id, id);
CREATE INDEX authorizations_pending ON authorizations (order_id) WHERE status = 'pending';
-- Tokens that could not be removed are looked for by every run.
CREATE INDEX authorizations_standing ON authorizations (order_id) WHERE placement <> '';

CREATE TABLE certificates (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    order_id    BIGINT NOT NULL REFERENCES orders (id),
    account_id  BIGINT NOT NULL REFERENCES accounts (id),
    lineage     TEXT   NOT NULL,
    names       TEXT   NOT NULL,
    name_key    TEXT   NOT NULL,
    serial      TEXT   NOT NULL,
    not_before  BIGINT NOT NULL,
    not_after   BIGINT NOT NULL,
    renewal_id  TEXT   NOT NULL,
    sha256      TEXT   NOT NULL,
    issued_at   BIGINT NOT NULL
);
CREATE INDEX certificates_lineage ON certificates (lineage, id);
-- A set that was issued before is a renewal, whatever lineage it was for.
CREATE INDEX certificates_names ON certificates (account_id, name_key, issued_at);

CREATE TABLE events (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    at       BIGINT NOT NULL,
    run_id   BIGINT NOT NULL,
    order_id BIGINT NOT NULL,
    lineage  TEXT   NOT NULL,
    kind     TEXT   NOT NULL,
    detail   TEXT   NOT NULL
);
CREATE INDEX events_order ON events (order_id, id);
CREATE INDEX events_run ON events (run_id, id);

CREATE TABLE standings (
    lineage        TEXT PRIMARY KEY,
    class          TEXT   NOT NULL,
    sentence       TEXT   NOT NULL,
    remedy         TEXT   NOT NULL,
    at             BIGINT NOT NULL,
    failures       BIGINT NOT NULL,
    next_at        BIGINT NOT NULL,
    fingerprint    TEXT   NOT NULL,
    refused_since  BIGINT NOT NULL,
    let_through_at BIGINT NOT NULL
);

CREATE TABLE charges (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id BIGINT NOT NULL REFERENCES accounts (id),
    name       TEXT   NOT NULL,
    order_id   BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    class      TEXT   NOT NULL
);
CREATE INDEX charges_name ON charges (account_id, name, at);

-- A name that the CA has paused is held until a person has lifted that: until_at is 0, and url is the page for it.
CREATE TABLE holds (
    account_id BIGINT NOT NULL REFERENCES accounts (id),
    scope      TEXT   NOT NULL,
    until_at   BIGINT NOT NULL,
    class      TEXT   NOT NULL,
    detail     TEXT   NOT NULL,
    url        TEXT   NOT NULL,
    PRIMARY KEY (account_id, scope)
);

CREATE TABLE buckets (
    account_id BIGINT NOT NULL REFERENCES accounts (id),
    name       TEXT   NOT NULL,
    bucket_key TEXT   NOT NULL,
    tat        BIGINT NOT NULL,
    PRIMARY KEY (account_id, name, bucket_key)
);

-- Certificates that this ledger's commands revoked: a lineage that was kept is due at once, and is not shown as valid.
CREATE TABLE revocations (
    sha256     TEXT PRIMARY KEY,
    serial     TEXT   NOT NULL,
    lineage    TEXT   NOT NULL,
    reason     TEXT   NOT NULL,
    revoked_at BIGINT NOT NULL
);

-- What logs of other clients name and nothing shows closed: see ledger.Found. status is '' until the CA was asked.
CREATE TABLE found (
    url        TEXT   PRIMARY KEY,
    order_url  TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    account    TEXT   NOT NULL,
    server     TEXT   NOT NULL,
    host       TEXT   NOT NULL,
    file       TEXT   NOT NULL,
    line       BIGINT NOT NULL,
    doubt      TEXT   NOT NULL,
    expires_at BIGINT NOT NULL,
    found_at   BIGINT NOT NULL,
    checked_at BIGINT NOT NULL,
    status     TEXT   NOT NULL
);
CREATE INDEX found_expires ON found (expires_at, url);

-- What logs of other clients tell to have failed: see ledger.LogFailure. days is a list of days and counts.
CREATE TABLE log_failures (
    host       TEXT   NOT NULL,
    lineage    TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    class      TEXT   NOT NULL,
    sentence   TEXT   NOT NULL,
    remedy     TEXT   NOT NULL,
    customer   TEXT   NOT NULL,
    client     TEXT   NOT NULL,
    file       TEXT   NOT NULL,
    line       BIGINT NOT NULL,
    until_at   BIGINT NOT NULL,
    first_at   BIGINT NOT NULL,
    last_at    BIGINT NOT NULL,
    renewed_at BIGINT NOT NULL,
    days       TEXT   NOT NULL,
    PRIMARY KEY (host, lineage, name, class)
) WITHOUT ROWID;
CREATE INDEX log_failures_name ON log_failures (name);
CREATE INDEX log_failures_last ON log_failures (last_at);

-- What CAs said of when certificates should be renewed: see ledger.RenewalInfo. id is '' for the CA itself.
CREATE TABLE renewal_infos (
    server      TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    lineage     TEXT   NOT NULL,
    start_at    BIGINT NOT NULL,
    end_at      BIGINT NOT NULL,
    moment      BIGINT NOT NULL,
    early       BIGINT NOT NULL,
    explanation TEXT   NOT NULL,
    first_at    BIGINT NOT NULL,
    asked_at    BIGINT NOT NULL,
    next_at     BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (server, id)
) WITHOUT ROWID;
CREATE INDEX renewal_infos_lineage ON renewal_infos (lineage);

-- What a command means to do beside orders, until it is done: see ledger.Task. ended_at is 0 until then.
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

-- The newest fence of each lock that can be lost: see ledger.Guard.
CREATE TABLE fences (
    lock_key TEXT   PRIMARY KEY,
    fence    BIGINT NOT NULL
);

-- +goose Down
DROP TABLE fences;
DROP TABLE tasks;
DROP TABLE renewal_infos;
DROP TABLE log_failures;
DROP TABLE found;
DROP TABLE revocations;
DROP TABLE buckets;
DROP TABLE holds;
DROP TABLE charges;
DROP TABLE standings;
DROP TABLE events;
DROP TABLE certificates;
DROP TABLE authorizations;
DROP TABLE order_names;
DROP TABLE orders;
DROP TABLE runs;
DROP TABLE accounts;
DROP TABLE book;
