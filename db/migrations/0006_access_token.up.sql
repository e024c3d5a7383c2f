-- Who may use the API. Not derived from the log.
create table access_token (
    id integer generated always as identity primary key,
    name text collate "C" not null unique,
    scope text collate "C" not null check (scope in ('read', 'admin')),
    -- SHA-256 of the token, which itself is kept nowhere.
    hash bytea not null unique,
    created_at timestamptz not null,
    -- Roughly: written at most once a minute.
    last_used_at timestamptz
);
