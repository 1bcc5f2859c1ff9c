-- Tokens that could not be removed are looked for by every run.
-- +goose Up
CREATE INDEX authorizations_standing ON authorizations (order_id) WHERE placement <> '';

-- +goose Down
DROP INDEX authorizations_standing;
