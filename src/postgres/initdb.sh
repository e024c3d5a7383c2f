#!/bin/sh
# Creates a cluster that only the owner of the Unix socket can reach.
#
#   initdb.sh DIRECTORY SETTINGS INITDB [OPTION...]
#
# SETTINGS are lines for the end of postgresql.conf. Runs as the user that Postgres runs as, so that
# no user with more rights ever writes into a directory which that user controls.
set -eu
directory=$1 settings=$2
shift 2
"$@" -D "$directory"
printf 'local all all trust\n' >"$directory/pg_hba.conf"
printf '\n%s\n' "$settings" >>"$directory/postgresql.conf"
