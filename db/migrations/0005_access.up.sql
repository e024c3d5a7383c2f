-- API tokens that this server issued. Does not follow from the log.
create table access_token (
    id integer generated always as identity primary key,
    name text collate "C" not null unique,
    scope text collate "C" not null check (scope in ('overlay', 'read', 'admin')),
    -- SHA-256 of the token. The token itself is not stored.
    hash bytea not null unique,
    created_at timestamptz not null,
    -- Written at most once a minute.
    last_used_at timestamptz
);
