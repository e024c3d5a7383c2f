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
    # COMMAND inherits that these signals are ignored, so one that comes before it has installed its handlers is lost.
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
        kill -s "$signal" 0
        sleep 1
    done
    while kill -s QUIT 0; do
        sleep 1
    done
} >/dev/null 2>&1 &
reader=$!

wait "$command"
status=$?
{
    kill -s KILL "$reader"
    wait "$reader"
} 2>/dev/null
[ -z "$directory" ] || rm -rf -- "$directory"
exit "$status"
