drop view channel_now;
