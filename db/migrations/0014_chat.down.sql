drop view chat_reading;
drop view needed_type;
drop table chat_line;
drop table presence;
drop table chat;
