drop view follower_state;
drop table follower;
