#!/usr/bin/env python3
"""Compares the reading of audit logs with what people would use instead, on the same files, in one run, on the same cores.

usage: benches/compare.py [--binary target/release/vault-advisor] [--size 760MB] [--cores 0,1] [--runs 5] [--work DIR]

Needs Python 3.9, `pip install duckdb polars matplotlib`, and `jq`, `zstd` and `gzip` on the path; what is not there is left out,
and said so. Build first: `cargo build --release && cargo build --release --example gen_log`.

The runs of all contestants alternate, so that a busy moment hits all alike, and the best of each counts. Ours is the whole
process: start, read, group, Parquet written. DuckDB's and Polars' are the query alone, in a process that is already up.
Writes docs/performance/ingest.json and docs/performance/ingest.svg and prints the table.
"""
import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

DUCKDB = """
import json, resource, sys, time
import duckdb
path, threads = sys.argv[1], int(sys.argv[2])
con = duckdb.connect()
con.execute(f"set threads={threads}")
con.execute("set enable_progress_bar=false")
columns = ("{time:'VARCHAR',type:'VARCHAR',error:'VARCHAR',auth:'STRUCT(entity_id VARCHAR, display_name VARCHAR, policies VARCHAR[])',"
           "request:'STRUCT(id VARCHAR, operation VARCHAR, path VARCHAR, mount_type VARCHAR, \\"namespace\\" STRUCT(\\"path\\" VARCHAR))'}")
query = (f"select auth.entity_id, request.namespace.path, request.path, request.operation, count(*) filter (error is null), "
         f"count(*) filter (error is not null), min(time), max(time) from read_json('{path}', format='newline_delimited', "
         f"columns={columns}, maximum_object_size=104857600) where type='response' group by all")
for line in sys.stdin:
    start = time.perf_counter()
    rows = con.execute(query).fetchall()
    spent = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps([spent, peak * 1024, len(rows)]), flush=True)
"""

POLARS = """
import json, os, resource, sys, time
os.environ["POLARS_MAX_THREADS"] = sys.argv[2]
import polars as pl
path = sys.argv[1]
schema = {"time": pl.String, "type": pl.String, "error": pl.String,
          "auth": pl.Struct({"entity_id": pl.String, "display_name": pl.String, "policies": pl.List(pl.String)}),
          "request": pl.Struct({"id": pl.String, "operation": pl.String, "path": pl.String, "mount_type": pl.String,
                                "namespace": pl.Struct({"path": pl.String})})}
auth, request = pl.col("auth").struct, pl.col("request").struct
for line in sys.stdin:
    start = time.perf_counter()
    rows = (pl.scan_ndjson(path, schema=schema).filter(pl.col("type") == "response")
            .select(auth.field("entity_id").alias("who"), request.field("path").alias("path"),
                    request.field("operation").alias("op"), "error", "time")
            .group_by("who", "path", "op")
            .agg(pl.col("error").is_null().sum().alias("ok"), pl.col("time").min().alias("first"),
                 pl.col("time").max().alias("last")).collect())
    spent = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps([spent, peak * 1024, rows.height]), flush=True)
"""


LAUNCHER = """
import json, os, sys, time
for line in sys.stdin:
    start = time.perf_counter()
    child = os.fork()
    if child == 0:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        os.execvp(sys.argv[1], sys.argv[1:])
    _, status, usage = os.wait4(child, 0)
    spent = time.perf_counter() - start
    print(json.dumps([spent, usage.ru_maxrss * 1024] if status == 0 else None), flush=True)
"""


class Server:
    """A process that stays up and is asked for one run at a time: a query of its own, or (see LAUNCHER) a command's whole life.

    The launcher is small, since the peak of a command's memory begins with that of whoever started it.
    """

    def __init__(self, source, cores, *args):
        words = ["taskset", "-c", cores, sys.executable, "-c", source, *map(str, args)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self):
        try:
            self.process.stdin.write("go\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
            result = json.loads(answer) if answer else None
            return result and result[:2]
        except (BrokenPipeError, json.JSONDecodeError):
            return None

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.wait()


def command(words, cores):
    return Server(LAUNCHER, cores, *words)


def has(module):
    return subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True).returncode == 0


def make(work, size):
    """The logs: struct order, alphabetical order, compressed, and cut into many files."""
    generator = os.path.join(ROOT, "target/release/examples/gen_log")
    logs = {}
    for order in ("struct", "alphabetical"):
        path = os.path.join(work, f"{order}.log")
        if not os.path.exists(path):
            subprocess.run([generator, "--size", size, "--order", order, "--out", path], check=True)
        logs[order] = path
    plain = logs["struct"]
    for name, words in (("gz", ["gzip", "-6", "-c"]), ("zst", ["zstd", "-q", "-3", "-T1", "-c"])):
        path = f"{plain}.{name}"
        if not os.path.exists(path) and shutil.which(words[0]):
            with open(path, "wb") as out:
                subprocess.run([*words, plain], stdout=out, check=True)
        if os.path.exists(path):
            logs[name] = path
    many = os.path.join(work, "many")
    if not os.path.exists(many):
        os.mkdir(many)
        subprocess.run(["split", "-C", "20m", "--additional-suffix=.log", plain, os.path.join(many, "audit-")], check=True)
    logs["many"] = many
    head = os.path.join(work, "slice.log")
    if not os.path.exists(head):
        with open(plain, "rb") as source, open(head, "wb") as out:
            out.writelines(source.readlines(40_000_000))
    logs["slice"] = head
    return logs


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=os.path.join(ROOT, "target/release/vault-advisor"))
    parser.add_argument("--size", default="760MB")
    parser.add_argument("--cores", default="0,1")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--work", default=os.path.join(tempfile.gettempdir(), "vault-advisor-bench"))
    parser.add_argument("--out", default=os.path.join(ROOT, "docs/performance"))
    args = parser.parse_args()
    os.makedirs(args.work, exist_ok=True)
    logs = make(args.work, args.size)
    first, count = args.cores.split(",")[0], len(args.cores.split(","))
    text_size = os.path.getsize(logs["struct"])

    def ours(log, cores):
        return command([args.binary, "usage", "--logs", log, "-o", os.path.join(args.work, "usage.parquet"), "-q",
                        "--threads", str(len(cores.split(",")))], cores)

    contestants = [("vault-advisor, plain", ours(logs["struct"], args.cores), text_size),
                   ("vault-advisor, plain, one core", ours(logs["struct"], first), text_size),
                   ("vault-advisor, alphabetical", ours(logs["alphabetical"], args.cores), text_size),
                   ("vault-advisor, many files", ours(logs["many"], args.cores), text_size)]
    contestants += [(f"vault-advisor, {name}", ours(logs[name], args.cores), text_size) for name in ("gz", "zst") if name in logs]
    if has("duckdb"):
        contestants += [(f"DuckDB, {name}", Server(DUCKDB, args.cores, logs[key], count), text_size)
                        for name, key in (("plain", "struct"), ("alphabetical", "alphabetical"), ("gz", "gz"), ("zst", "zst"))
                        if key in logs]
    else:
        print("left out: DuckDB (pip install duckdb)", file=sys.stderr)
    if has("polars"):
        contestants.append(("Polars scan_ndjson, plain", Server(POLARS, args.cores, logs["struct"], count), text_size))
    else:
        print("left out: Polars (pip install polars)", file=sys.stderr)
    if shutil.which("jq"):
        program = 'select(.type=="response") | [.auth.entity_id, .request.path, .request.operation, .error] | @tsv'
        contestants.append(("jq, a slice", command(["jq", "-r", program, logs["slice"]], first), os.path.getsize(logs["slice"])))
    else:
        print("left out: jq", file=sys.stderr)
    contestants.append(("newlines counted (wc -l)", command(["wc", "-l", logs["struct"]], first), text_size))

    times = {name: [] for name, _, _ in contestants}
    peaks = {name: 0 for name, _, _ in contestants}
    for _ in range(args.runs):
        for name, contestant, _ in contestants:
            result = contestant.run()
            if result:
                times[name].append(result[0])
                peaks[name] = max(peaks[name], result[1])
    rows = []
    for name, contestant, size in contestants:
        contestant.close()
        if times[name]:
            best = min(times[name])
            rows.append({"name": name, "seconds": round(best, 4), "gb_per_second": round(size / best / 1e9, 3),
                         "peak_rss_bytes": peaks[name]})
        else:
            print(f"failed: {name}", file=sys.stderr)
    best = {row["name"]: row["seconds"] for row in rows}

    def ratio(a, b):
        return round(best[a] / best[b], 2) if a in best and b in best else None

    ratios = {"plain against DuckDB (goal 3, at least 2)": ratio("DuckDB, plain", "vault-advisor, plain"),
              "gz against DuckDB (goal 1.6)": ratio("DuckDB, gz", "vault-advisor, gz"),
              "zst against DuckDB (goal 1.5)": ratio("DuckDB, zst", "vault-advisor, zst"),
              "alphabetical against struct order, time (goal at most 1.2)": ratio("vault-advisor, alphabetical", "vault-advisor, plain"),
              "second core (goal 1.7)": ratio("vault-advisor, plain, one core", "vault-advisor, plain"),
              "many files against one, time": ratio("vault-advisor, many files", "vault-advisor, plain")}
    load = os.getloadavg()
    report = {"bytes": text_size, "cores": args.cores, "runs": args.runs, "machine": platform.processor() or platform.machine(),
              "load_at_end": [round(x, 1) for x in load], "rows": rows, "ratios": ratios}
    print(f"{'':36} {'seconds':>8} {'GB/s':>7} {'peak MiB':>9}")
    for row in rows:
        print(f"{row['name']:36} {row['seconds']:8.3f} {row['gb_per_second']:7.2f} {row['peak_rss_bytes'] / 2**20:9.0f}")
    for name, value in ratios.items():
        print(f"{name}: {value}")
    os.makedirs(args.out, exist_ok=True)
    with open(os.path.join(args.out, "ingest.json"), "w") as out:
        json.dump(report, out, indent=2)
        out.write("\n")
    plot(rows, os.path.join(args.out, "ingest.svg"))


def plot(rows, path):
    try:
        import matplotlib
    except ImportError:
        print("left out: the plot (pip install matplotlib)", file=sys.stderr)
        return
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "vault-advisor"
    from matplotlib import pyplot
    rows = [row for row in rows if not row["name"].startswith("newlines")][::-1]
    figure, axes = pyplot.subplots(figsize=(8, 0.36 * len(rows) + 1))
    colours = ["#2a6f97" if row["name"].startswith("vault-advisor") else "#a9b4be" for row in rows]
    bars = axes.barh([row["name"] for row in rows], [row["gb_per_second"] for row in rows], color=colours)
    axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=8)
    axes.set_xlabel("GB of log text a second (best run)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
