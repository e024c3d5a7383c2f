drop table websocket_earlier_session;
drop table websocket_session;
