#!/bin/sh
# Makes a cluster that only the Unix socket's owner can reach.
#
#   initdb.sh DIRECTORY SETTINGS INITDB [OPTION...]
#
# SETTINGS are lines for the end of postgresql.conf. Runs as the user Postgres runs as, so that
# nobody with more rights ever writes into a directory which that user controls.
set -eu
directory=$1 settings=$2
shift 2
"$@" -D "$directory"
printf 'local all all trust\n' >"$directory/pg_hba.conf"
printf '\n%s\n' "$settings" >>"$directory/postgresql.conf"
