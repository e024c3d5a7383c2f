-- The state is written by one fold alone, which makes every row before it names it. To have Postgres look each of them up
-- once more took more time than to write it.
alter table channel drop constraint channel_id_fkey;
alter table stream drop constraint stream_channel_id_fkey;
alter table stream_end drop constraint stream_end_channel_id_fkey;
alter table segment drop constraint segment_channel_id_fkey;
alter table viewer drop constraint viewer_channel_id_fkey, drop constraint viewer_user_id_fkey;
