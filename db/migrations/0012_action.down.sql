drop table bot;
drop table action_lease;
drop table action;
