#!/bin/sh
# Runs a command, and ends it when the process at the other end of our standard input has ended,
# in whatever way: the kernel closes the pipe even after a kill -9.
#
#   watchdog.sh SIGNAL DIRECTORY COMMAND [ARGUMENT...]
#
# SIGNAL, sent to our process group, asks COMMAND to end. DIRECTORY, unless empty, is removed after it has ended. COMMAND writes
# to our standard error. Our standard output is the data directory's lock, which therefore stays
# held until this script ends.
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
