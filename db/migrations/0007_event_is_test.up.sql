-- Somebody tried something out: stored and delivered like everything else, but changes no state.
alter table event add column is_test boolean not null default false;
