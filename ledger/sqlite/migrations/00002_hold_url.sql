-- A paused name is held until a person has lifted the pause at the CA: until_at is 0, and url is the page for it.
-- +goose Up
ALTER TABLE holds ADD COLUMN url TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE holds DROP COLUMN url;
