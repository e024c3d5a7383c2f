drop index twitch_user_login_idx;
create index twitch_user_login_idx on twitch_user (login, named_at);
