alter table channel add foreign key (id) references twitch_user;
alter table stream add foreign key (channel_id) references channel;
alter table stream_end add foreign key (channel_id) references channel;
alter table segment add foreign key (channel_id) references channel;
alter table viewer add foreign key (channel_id) references channel, add foreign key (user_id) references twitch_user;
