#!/bin/sh
# A private Postgres for development, the same that the server starts by itself:
#   ./local-db.sh up|down|reset --force|upgrade|env|psql [psql's arguments]
set -eu
cd "$(dirname "$0")"
exec cargo run --quiet --bin server -- local-db "$@"
