#!/usr/bin/env bash
# Writes .sqlx/, from which the program is built without a database: the statements of src/store/ as
# Postgres understands them. With --check only compares. Requires DATABASE_URL to name a migrated database.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${DATABASE_URL:?name a migrated database, for example with: eval \"\$(./local-db.sh env)\"}"
export DATABASE_URL

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT

# sqlx's macros describe a statement when the code around it is compiled, so all of it has to be.
find src -name '*.rs' -exec touch {} +
SQLX_OFFLINE=false SQLX_OFFLINE_DIR=$fresh cargo check --quiet --all-targets

case ${1-} in
--check)
    diff -r .sqlx "$fresh" || {
        echo '.sqlx is stale: run db/prepare.sh' >&2
        exit 1
    }
    ;;
'')
    rm -rf .sqlx
    mkdir .sqlx
    cp "$fresh"/*.json .sqlx/
    ;;
*)
    echo 'usage: db/prepare.sh [--check]' >&2
    exit 2
    ;;
esac
