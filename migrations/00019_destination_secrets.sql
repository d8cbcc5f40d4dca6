-- +goose Up

-- A key of S3 that a destination has of its own. Its secret is found by a reference, env:NAME or file:NAME, or stands here sealed under the
-- key of the installation, which is not in the database; it opens for this name, URL and access key alone.
alter table fetchq.backup_destinations
    add column access_key text,       -- null: credentials as the machine has them
    add column secret_ref text,
    add column secret     bytea,      -- AES-256-GCM: nonce, then text and tag
    add column secret_at  timestamptz,
    add constraint backup_destinations_secret_check check (num_nonnulls(secret_ref, secret) = num_nonnulls(access_key));

-- The last backup of each schedule is looked for by every scrape.
create index backups_schedule on fetchq.backups (schedule, snapshot_at) where schedule is not null;

-- +goose Down
drop index fetchq.backups_schedule;
alter table fetchq.backup_destinations drop column access_key, drop column secret_ref, drop column secret, drop column secret_at;
