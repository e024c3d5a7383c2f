drop table egress;
drop table post;
drop table announcement;
drop table bot_event;
drop table track;
drop table destination;
drop table signing_key;
drop table discord_bot;
