drop view transport_switch_state;
drop view channel_transport;
drop table transport_switch_message, transport_switch;
