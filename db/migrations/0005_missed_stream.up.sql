-- When Twitch's API was last found to show a stream that had been thought to be gone; it follows from the log. Whichever
-- of this and gone_at is newer says whether the stream is gone.
alter table stream add column shown_at timestamptz;

-- Live streams that the last look at Twitch's API did not show, and since when. The next look decides.
create table missed_stream (
    stream_id text collate "C" primary key,
    since timestamptz not null
);
