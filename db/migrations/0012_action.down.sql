drop table consent_link;
drop table bot;
drop table action_lease;
drop table action;
