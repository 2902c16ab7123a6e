#!/usr/bin/env bash
# Tests the Spark job on a cluster of this machine's own. Where there is no Java or no PySpark, it says so and ends well.
# Arguments go to test_spark.py, as `--size 1GB` or `--measure`; BINARIES is the folder of the built binary and its examples.
set -euo pipefail
cd "$(dirname "$0")/../.."

skip() {
  echo "SKIPPED: the Spark job is not tested: $1"
  exit 0
}

binaries="${BINARIES:-${CARGO_TARGET_DIR:-target}/debug}"
command -v java >/dev/null || skip "there is no java"
command -v python3 >/dev/null || skip "there is no python3"
[ -x "$binaries/vault-advisor" ] || skip "there is no $binaries/vault-advisor"
[ -x "$binaries/examples/gen_log" ] || skip "there is no $binaries/examples/gen_log"

venv="${XDG_CACHE_HOME:-$HOME/.cache}/vault-advisor/spark-4.3.0"
if ! [ -e "$venv/ready" ]; then
  { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet pyspark==4.3.0 pyarrow==26.0.1 pandas==3.1.1 && touch "$venv/ready"; } \
    >/dev/null 2>&1 || skip "PySpark cannot be installed"
fi
exec "$venv/bin/python" integrations/spark/test_spark.py \
  --binary "$binaries/vault-advisor" --gen-log "$binaries/examples/gen_log" "$@"
