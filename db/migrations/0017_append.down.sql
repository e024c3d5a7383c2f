drop function append_v1, complete_blocks_v1, merge_state_v1, told_v1;
