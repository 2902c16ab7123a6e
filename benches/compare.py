#!/usr/bin/env python3
"""Compares the reading of audit logs with what people would use instead, on the same files, in one run, on the same cores.

The logs differ in how long a token lives, since what is read quickly may hang on what repeats: `long` (a token each for the whole log),
`short` (a token for each job of some requests) and `fresh` (a token for each request). All three are read plain, gz and zst.

usage: benches/compare.py [--binary target/release/vault-advisor] [--size 760MB] [--cores 0,1] [--runs 5] [--work DIR]

Needs Python 3.9, `pip install duckdb polars matplotlib`, and `jq`, `zstd` and `gzip` on the path; what is not there is left out,
and said so. Build first: `cargo build --release && cargo build --release --example gen_log`.

The runs of all contestants alternate, so that a busy moment hits all alike, and the best of each counts. Ours is the whole
process: start, read, group, Parquet written; beside the time that passes stands the time of processors that it took. DuckDB's and
Polars' are the query alone, in a process that is already up.
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
    used = usage.ru_utime + usage.ru_stime
    print(json.dumps([spent, usage.ru_maxrss * 1024, used] if status == 0 else None), flush=True)
"""

# How long tokens live. All have as many sets of policies.
LIVES = ("long", "short", "fresh")
PACKED = (("gz", ["gzip", "-6", "-c"]), ("zst", ["zstd", "-q", "-3", "-T1", "-c"]))


class Server:
    """A process that stays up and is asked for one run at a time: a query of its own, or (see LAUNCHER) a command's whole life.

    The launcher is small, since the peak of a command's memory begins with that of whoever started it.
    """

    def __init__(self, source, cores, *args):
        words = ["taskset", "-c", cores, sys.executable, "-c", source, *map(str, args)]
        self.launches = source is LAUNCHER
        self.processor = []
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self):
        try:
            self.process.stdin.write("go\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
            return json.loads(answer) if answer else None
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
    """The logs, by name: `long`, `long.gz`, ..., `alphabetical`, `many` (a folder of files), `slice` (the beginning of one)."""
    generator = os.path.join(ROOT, "target/release/examples/gen_log")
    logs = {}

    def generate(name, *flags):
        path = os.path.join(work, f"{name}-{size}.log")
        if not os.path.exists(path):
            subprocess.run([generator, "--size", size, "--policy-sets", "1000", *flags, "--out", path], check=True)
        logs[name] = path

    for life in LIVES:
        generate(life, "--tokens", life)
        for ending, words in PACKED:
            path = f"{logs[life]}.{ending}"
            if not os.path.exists(path) and shutil.which(words[0]):
                with open(path, "wb") as out:
                    subprocess.run([*words, logs[life]], stdout=out, check=True)
            if os.path.exists(path):
                logs[f"{life}.{ending}"] = path
    generate("alphabetical", "--order", "alphabetical")
    plain = logs["long"]
    many = os.path.join(work, f"many-{size}")
    if not os.path.exists(many):
        os.mkdir(many)
        subprocess.run(["split", "-C", "20m", "--additional-suffix=.log", plain, os.path.join(many, "audit-")], check=True)
    logs["many"] = many
    head = os.path.join(work, f"slice-{size}.log")
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
    sizes = {name: os.path.getsize(logs[name.split(".")[0]]) for name in logs if name.split(".")[0] not in ("many", "slice")}
    sizes.update(many=sizes["long"], slice=os.path.getsize(logs["slice"]))

    def ours(log, cores):
        return command([args.binary, "usage", "--logs", logs[log], "-o", os.path.join(args.work, "usage.parquet"), "-q",
                        "--threads", str(len(cores.split(",")))], cores)

    contestants = []

    def enter(name, log, contestant):
        contestants.append((f"{name}, {log}", contestant, sizes[log]))

    each = [log for life in LIVES for log in (life, *(f"{life}.{ending}" for ending, _ in PACKED)) if log in logs]
    for log in (*each, "alphabetical", "many"):
        enter("vault-advisor", log, ours(log, args.cores))
    for life in LIVES:
        enter("vault-advisor, one core", life, ours(life, first))
    if has("duckdb"):
        for log in (*each, "alphabetical"):
            enter("DuckDB", log, Server(DUCKDB, args.cores, logs[log], count))
    else:
        print("left out: DuckDB (pip install duckdb)", file=sys.stderr)
    if has("polars"):
        enter("Polars scan_ndjson", "long", Server(POLARS, args.cores, logs["long"], count))
    else:
        print("left out: Polars (pip install polars)", file=sys.stderr)
    if shutil.which("jq"):
        program = 'select(.type=="response") | [.auth.entity_id, .request.path, .request.operation, .error] | @tsv'
        enter("jq", "slice", command(["jq", "-r", program, logs["slice"]], first))
    else:
        print("left out: jq", file=sys.stderr)
    # How far from what cannot be spared: the copy out of the page cache.
    enter("newlines counted (wc -l)", "long", command(["wc", "-l", logs["long"]], first))

    times = {name: [] for name, _, _ in contestants}
    peaks = {name: 0 for name, _, _ in contestants}
    used = {}
    for _ in range(args.runs):
        for name, contestant, _ in contestants:
            result = contestant.run()
            if result:
                times[name].append(result[0])
                peaks[name] = max(peaks[name], result[1])
                if contestant.launches:
                    contestant.processor.append(result[2])
    rows = []
    for name, contestant, size in contestants:
        contestant.close()
        if times[name]:
            best = min(times[name])
            row = {"name": name, "seconds": round(best, 4), "gb_per_second": round(size / best / 1e9, 3), "peak_rss_bytes": peaks[name]}
            if contestant.processor:
                used[name] = min(contestant.processor)
                row["processor_seconds"] = round(used[name], 4)
            rows.append(row)
        else:
            print(f"failed: {name}", file=sys.stderr)
    best = {row["name"]: row["seconds"] for row in rows}

    def ratio(of, a, b):
        return round(of[a] / of[b], 2) if a in of and b in of and of[b] else None

    ratios = {}
    for life in LIVES:
        for log, goal in ((life, "3, at least 2"), (f"{life}.gz", "1.6"), (f"{life}.zst", "1.5")):
            ratios[f"{log} against DuckDB (goal {goal})"] = ratio(best, f"DuckDB, {log}", f"vault-advisor, {log}")
        ratios[f"second core, {life} (goal 1.7)"] = ratio(best, f"vault-advisor, one core, {life}", f"vault-advisor, {life}")
    for life in LIVES[1:]:
        ratios[f"{life} against long, processor time (goal at most 1.3)"] = ratio(used, f"vault-advisor, {life}", "vault-advisor, long")
    ratios["alphabetical against struct order, time (goal at most 1.2)"] = ratio(best, "vault-advisor, alphabetical", "vault-advisor, long")
    ratios["many files against one, time"] = ratio(best, "vault-advisor, many", "vault-advisor, long")
    load = os.getloadavg()
    report = {"bytes": sizes["long"], "cores": args.cores, "runs": args.runs, "machine": platform.processor() or platform.machine(),
              "load_at_end": [round(x, 1) for x in load], "rows": rows, "ratios": ratios}
    print(f"{'':36} {'seconds':>8} {'processor':>9} {'GB/s':>7} {'peak MiB':>9}")
    for row in rows:
        processor = f"{row['processor_seconds']:9.3f}" if "processor_seconds" in row else " " * 9
        print(f"{row['name']:36} {row['seconds']:8.3f} {processor} {row['gb_per_second']:7.2f} {row['peak_rss_bytes'] / 2**20:9.0f}")
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
