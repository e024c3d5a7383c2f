#!/bin/sh
# Runs a command, and ends it when the process at the other end of our standard input is gone,
# however it went: the kernel closes the pipe even after a kill -9.
#
#   watchdog.sh SIGNAL DIRECTORY COMMAND [ARGUMENT...]
#
# SIGNAL, sent to our process group, asks COMMAND to end. DIRECTORY, unless empty, is removed once it has ended. COMMAND writes
# to our standard error; our standard output is the data directory's lock, which thereby stays
# held until everything here is over.
signal=$1 directory=$2
shift 2
trap '' HUP INT QUIT TERM

exec 3<&0
"$@" </dev/null >&2 3<&- &
command=$!
{
    read -r _ <&3
    kill -s "$signal" 0
} 2>/dev/null &
reader=$!

wait "$command"
status=$?
{
    kill -s KILL "$reader"
    wait "$reader"
} 2>/dev/null
[ -z "$directory" ] || rm -rf -- "$directory"
exit "$status"
