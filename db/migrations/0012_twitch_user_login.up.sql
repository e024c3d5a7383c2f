-- Without the time, which changes with every message that names somebody: a row whose indexed columns stay the same is
-- updated in its page, and no index is touched. Few share a login, so their times need no order in the index.
drop index twitch_user_login_idx;
create index twitch_user_login_idx on twitch_user (login);
