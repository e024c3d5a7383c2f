drop table chat_line;
drop table presence;
drop table chat;
