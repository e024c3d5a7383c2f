-- What events said that were pruned or emptied. Does not follow from the log.

-- The state that the events add up to whose payloads are gone. A rebuild begins with it, so that 300 bits stay 300 bits.
-- The projection writes these tables as it writes the state's, which they repeat.
create table baseline_twitch_user (like twitch_user including all);
create table baseline_channel_login (like channel_login including all);
create table baseline_channel (like channel including all);
create table baseline_viewer (like viewer including all);
create table baseline_activity (like activity including all);
create table baseline_told (like told including all);
create table baseline_subscription (like subscription including all);
create table baseline_stream (like stream including all);
create table baseline_stream_end (like stream_end including all);
create table baseline_segment (like segment including all);

-- Twitch's ids of the people and channels whose data was removed, for a database that is restored from an older backup.
create table forgotten (
    id text collate "C" primary key,
    forgotten_at timestamptz not null
);
