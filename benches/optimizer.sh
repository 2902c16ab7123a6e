#!/bin/sh
# Prints the tables of docs/optimizer.md: set covers, roles, planted instances of every kind, and planted roles found again under noise.
# usage: benches/optimizer.sh DATA [SECONDS]
# DATA holds `setcover` (OR-Library files) and `rolemining` (folders of .upa files); SECONDS is the limit of each run (60).
set -eu
data=${1:?"usage: benches/optimizer.sh DATA [SECONDS]"}
seconds=${2:-60}
cd "$(dirname "$0")/.."
cargo build --release --quiet --example set_cover --example role_mining
target=${CARGO_TARGET_DIR:-target}/release/examples

echo "## Set cover"
find "$data/setcover" -type f ! -name '*.md' | sort | while read -r file; do
    printf '%s ' "$(basename "$file")"
    "$target/set_cover" "$file" --time-limit "${seconds}s"
done

echo
echo "## Roles"
echo "| set | objective | roles | edges | WSC | bound | | gap | seconds |"
echo "|---|---|---|---|---|---|---|---|---|"
for objective in roles edges wsc; do
    find "$data/rolemining" -name '*.upa' | sort | while read -r file; do
        "$target/role_mining" "$file" --objective "$objective" --time-limit "${seconds}s" --table
    done
done

echo
echo "## Planted instances of every kind (fewest roles)"
for limit in 2 "$seconds"; do
    echo
    echo "limit ${limit} s"
    echo
    "$target/role_mining" --sweep 1 --time-limit "${limit}s"
done

echo
echo "## Planted roles found again under noise (10 seeds)"
# Forty matrices, each mined twice: a small limit says enough of the fewest roles.
"$target/role_mining" --recovery 10 --time-limit "$((seconds > 3 ? 3 : seconds))s"
