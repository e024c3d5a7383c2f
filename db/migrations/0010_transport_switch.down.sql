drop table transport_switch_message, transport_switch;
