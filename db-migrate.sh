#!/usr/bin/env bash
# Applies or reverts migrations, on the configured database or on the private one:
#   ./db-migrate.sh up|down --force|status
set -euo pipefail
cd "$(dirname "$0")"
exec cargo run --quiet --bin server -- migrate "$@"
