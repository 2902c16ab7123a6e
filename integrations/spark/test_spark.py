#!/usr/bin/env python3
"""Tests `vault_advisor_usage.py` on a real standalone cluster on loopback: a master, and workers with one core each.

    test_spark.py --binary target/release/vault-advisor --gen-log target/release/examples/gen_log [--size 1GB] [--measure]

The rows, the account of lines and the coverage have to be the same as those of one call of the binary over the same
files, byte for byte; so they have to be when an executor is killed in mid-run and with speculative tasks on.
"""

import argparse
import contextlib
import gzip
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import pyarrow
import pyspark
from pyarrow import parquet

HERE = pathlib.Path(__file__).resolve().parent
JOB = HERE / "vault_advisor_usage.py"
SPARK = pathlib.Path(pyspark.__file__).resolve().parent

# Lines as they really turn up between entries: none of them may change on its way to the binary.
ODD = [
    b"",
    b"not JSON",
    b"\xff\xfe\x80 no UTF-8 \xc3",
    b'{"time":"2026-01-02T03:04:05Z","type":"request","request":{"id":"',
    b"a lone \r carriage return",
    b'{"a":1}\r',
    b"\x00\x00\x00",
    b'{"type":"request","auth":{"accessor":"\xe9"},"request":{"id":"odd","operation":"read","path":"odd/\xff\xed\xa0\x80"}}',
    "line\u2028separator\u0085".encode(),
]


# Files are packed by their size alone, however few tasks that makes.
MANY_TASKS = {"spark.files.openCostInBytes": "1"}


def say(text):
    print(text, flush=True)


def environment(folder):
    env = dict(os.environ)
    env.update(
        SPARK_HOME=str(SPARK),
        SPARK_LOCAL_IP="127.0.0.1",
        SPARK_LOCAL_DIRS=str(folder / "local"),
        SPARK_NO_DAEMONIZE="1",
        PYSPARK_PYTHON=sys.executable,
        PYSPARK_DRIVER_PYTHON=sys.executable,
        SPARK_DAEMON_MEMORY="256m",
    )
    return env


@contextlib.contextmanager
def cluster(folder, workers):
    """A master and workers; gives the master's address."""
    env, started = environment(folder), []

    def start(name, host, *words):
        log = open(folder / (name + ".log"), "wb")
        command = [str(SPARK / "bin" / "spark-class"), *words, "--host", host, "--port", "0", "--webui-port", "0"]
        own = {**env, "SPARK_LOCAL_IP": host}
        started.append(subprocess.Popen(command, env=own, stdout=log, stderr=log))

    def wait_for(name, pattern, count=1):
        for _ in range(600):
            found = re.findall(pattern, (folder / (name + ".log")).read_text(errors="replace"))
            if len(found) >= count:
                return found[0]
            if any(process.poll() is not None for process in started):
                break
            time.sleep(0.1)
        raise SystemExit("no cluster: see %s" % (folder / (name + ".log")))

    try:
        start("master", "127.0.0.1", "org.apache.spark.deploy.master.Master")
        address = wait_for("master", r"Starting Spark master at (spark://\S+)")
        for number in range(workers):
            # Each an address of its own: a speculative task never runs where its original does.
            words = ["--cores", "1", "--memory", "1g", "--work-dir", str(folder / ("work%d" % number)), address]
            host = "127.0.0.%d" % (number + 1)
            start("worker%d" % number, host, "org.apache.spark.deploy.worker.Worker", *words)
        wait_for("master", r"Registering worker", workers)
        yield address
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait()


def submit(folder, master, words, binary, name, conf=(), during=None, shipped=False):
    """Runs the job; gives exit status, stderr, seconds, and the events of the run."""
    events = folder / "events" / name
    events.mkdir(parents=True)
    settings = {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": events.as_uri(),
        "spark.eventLog.rolling.enabled": "false",
        "spark.eventLog.compress": "false",
        "spark.ui.enabled": "false",
        "spark.executor.memory": "900m",
        "spark.driver.host": "127.0.0.1",
        **dict(conf),
    }
    command = [str(SPARK / "bin" / "spark-submit"), "--master", master, "--driver-memory", "1g"]
    if shipped:
        command += ["--files", str(binary)]
    else:
        words = [*words, "--binary", binary]
    for key, value in settings.items():
        command += ["--conf", "%s=%s" % (key, value)]
    began = time.monotonic()
    with open(folder / (name + ".log"), "w+b") as log:
        process = subprocess.Popen(
            command + [str(JOB), *map(str, words)], env=environment(folder), stdout=log, stderr=log, cwd=folder
        )
        if during is not None:
            during(process)
        status = process.wait()
    seconds = time.monotonic() - began
    told = []
    for file in events.iterdir():
        told += [json.loads(line) for line in file.read_text().splitlines()]
    return status, (folder / (name + ".log")).read_text(errors="replace"), seconds, told


def tasks(events):
    return [event for event in events if event["Event"] == "SparkListenerTaskEnd"]


def run_seconds(events):
    return sum(event["Task Metrics"]["Executor Run Time"] for event in tasks(events) if event.get("Task Metrics")) / 1000


# ---- What is read ----------------------------------------------------------------------------------------------------


def with_odd_lines(lines):
    """The log, with an odd line after every so many."""
    for number, line in enumerate(lines):
        yield line
        if number % 997 == 500:
            yield ODD[number // 997 % len(ODD)] + b"\n"


def split(log, folder, count):
    """Writes the log as so many files of each kind, cut at line ends but in no other respect."""
    kinds = {kind: folder / kind for kind in ("plain", "gz", "zst")}
    for path in kinds.values():
        path.mkdir()
    size = log.stat().st_size
    whole = folder / "whole.log"
    with open(log, "rb") as lines, open(whole, "wb") as all_of_it:
        rest = with_odd_lines(lines)
        for number in range(count):
            piece, bytes_so_far = [], 0
            for line in rest:
                piece.append(line)
                bytes_so_far += len(line)
                if bytes_so_far >= size // count and number + 1 < count:
                    break
            text = b"".join(piece)
            all_of_it.write(text)
            # A file without a last line feed is complete too.
            text = text[:-1] if number % 3 == 1 else text
            name = "audit %03d,{x}[%d].log" % (number, number % 10)
            (kinds["plain"] / name).write_bytes(text)
            (kinds["gz"] / (name + ".gz")).write_bytes(gzip.compress(text, 1))
            (kinds["zst"] / (name + ".zst")).write_bytes(pyarrow.compress(text, "zstd", asbytes=True))
        assert next(rest, None) is None
    return kinds, whole


def middle_of(log):
    """The time of an entry in the middle of a log."""
    with open(log, "rb") as lines:
        lines.seek(log.stat().st_size // 2)
        lines.readline()
        return json.loads(lines.readline())["time"]


class Truth:
    """What one call of the binary makes of the same input."""

    def __init__(self, binary, inputs, folder, name, flags=()):
        self.binary = binary
        self.path = folder / (name + ".parquet")
        command = [binary, "usage", "--color", "never", "--logs", *map(str, inputs), "-o", self.path, *flags]
        done = subprocess.run(command, stderr=subprocess.PIPE, check=True)
        self.said = self.account(done.stderr.decode())
        self.rows = self.rows_of(self.path)
        self.about = self.about_of(self.path)

    def rows_of(self, path):
        return subprocess.run(
            [self.binary, "usage", "-q", "--usage", path], stdout=subprocess.PIPE, check=True
        ).stdout

    @staticmethod
    def about_of(path):
        return json.loads(parquet.read_metadata(path).metadata[b"vault-advisor.about"])

    @staticmethod
    def account(text):
        """The account of lines, without the places of examples."""
        lines = [line.strip() for line in text.splitlines()]
        lines = [line for line in lines if re.match(r"(note: )?(read \d+ lines|skipped \d+)", line)]
        return [line.split(", first at ")[0] for line in lines]

    def check(self, path, said, name):
        rows = self.rows_of(path)
        if rows != self.rows:
            raise SystemExit("%s: other rows: %d bytes against %d of one call" % (name, len(rows), len(self.rows)))
        account = self.account(said)
        if account != self.said or self.about_of(path) != self.about:
            raise SystemExit("%s: another account:\n%s\nof one call:\n%s" % (name, "\n".join(account), "\n".join(self.said)))
        say("ok  %s: %d rows, %s" % (name, rows.count(b"\n"), account[0]))


# ---- Tests -----------------------------------------------------------------------------------------------------------


def slow_binary(folder, binary):
    """A binary that tells of its calls, and takes its time: some calls are stuck for long."""
    calls = folder / "calls"
    calls.mkdir()
    script = folder / "slow" / "vault-advisor"
    script.parent.mkdir()
    script.write_text(
        "#!/bin/sh\n"
        "n=$(ls %(calls)s | wc -l)\n"
        ": > %(calls)s/$$\n"
        "case $n in 1|25) sleep 15;; *) sleep 0.2;; esac\n"
        "exec %(binary)s \"$@\"\n" % {"calls": calls, "binary": binary}
    )
    script.chmod(0o755)
    return script, calls


def executors(folder):
    """The processes of executors that the workers of this test started: number by process id."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            inside = os.readlink(entry / "cwd").startswith(str(folder))
        except OSError:
            continue
        if inside and any(b"CoarseGrainedExecutorBackend" in word for word in words):
            found.append(int(entry.name))
    return found


def test_kill(folder, master, binary, source, truth):
    script, calls = slow_binary(folder, binary)
    killed = []

    def kill(process):
        while process.poll() is None and not killed:
            if len(list(calls.iterdir())) >= 12:
                victim = executors(folder)[0]
                os.kill(victim, signal.SIGKILL)
                killed.append(victim)
            time.sleep(0.05)

    output = folder / "killed.parquet"
    speculation = {
        **MANY_TASKS,
        "spark.speculation": "true",
        "spark.speculation.quantile": "0.2",
        "spark.speculation.multiplier": "1.2",
        "spark.speculation.interval": "50ms",
        "spark.default.parallelism": "40",
    }
    words = ["--input", source, "--output", output]
    status, said, _, events = submit(folder, master, words, script, "killed", speculation, kill)
    if status != 0:
        raise SystemExit("killed: status %d\n%s" % (status, said[-3000:]))
    truth.check(output, said, "an executor killed in mid-run, with speculative tasks")
    lost = [event for event in events if event["Event"] == "SparkListenerExecutorRemoved"]
    ended = tasks(events)
    copies = sum(event["Task Info"]["Speculative"] for event in ended)
    failed = sum(event["Task End Reason"]["Reason"] != "Success" for event in ended)
    if not (killed and lost and copies):
        raise SystemExit("killed: nothing was tested: killed %s, lost %d, speculative %d" % (killed, len(lost), copies))
    say("    %d tasks, %d of them speculative, %d lost, killed or late; %d executor lost" % (len(ended), copies, failed, len(lost)))


def test_errors(folder, master, binary):
    nothing = folder / "nothing"
    nothing.mkdir()
    for number in range(3):
        (nothing / ("empty-%d.log" % number)).write_bytes(b"")
    output = folder / "none.parquet"
    cases = [
        ("all-empty", binary, ["--input", nothing], 3, "no usable record"),
        ("no-such-input", binary, ["--input", folder / "none"], 2, "error: "),
        ("wrong-flag", binary, ["--input", HERE, "--since", "yesterday"], 2, "`yesterday` is not a time"),
    ]
    for name, program, words, wanted, text in cases:
        status, said, _, _ = submit(folder, master, words + ["--output", output], program, name)
        if status != wanted or text not in said or output.exists():
            raise SystemExit("%s: status %d, wanted %d\n%s" % (name, status, wanted, said[-3000:]))
        say("ok  %s: status %d" % (name, status))


def test_all(options, folder, log):
    kinds, whole = split(log, folder, options.files)
    # One large file in a folder of its own, by a name that is a glob and a list to whoever takes it for one.
    cut = folder / "cut"
    cut.mkdir()
    os.link(whole, cut / "a b,{c}[d]*?.log")
    with cluster(folder, 2) as master:
        for kind in (kind for kind in kinds if kind in options.cases):
            truth = Truth(options.binary, [kinds[kind]], folder, "truth-" + kind)
            output = folder / (kind + ".parquet")
            words = ["--input", kinds[kind], "--output", output]
            parallel = {**MANY_TASKS, "spark.default.parallelism": "20"}
            status, said, _, _ = submit(folder, master, words, options.binary, kind, parallel, shipped=kind == "plain")
            if status != 0:
                raise SystemExit("%s: status %d\n%s" % (kind, status, said[-3000:]))
            truth.check(output, said, "%d files, %s" % (options.files, kind))
        if "cut" in options.cases:
            output = folder / "cut.parquet"
            flags = ["--since", middle_of(log)]
            words = ["--input", cut, "--output", output.as_uri(), "--piece", "2", *flags]
            status, said, _, _ = submit(folder, master, words, options.binary, "cut")
            if status != 0:
                raise SystemExit("cut: status %d\n%s" % (status, said[-3000:]))
            truth = Truth(options.binary, [whole], folder, "truth-cut", flags)
            truth.check(output, said, "one file, cut anywhere, with a window")
        if "kill" in options.cases:
            truth = Truth(options.binary, [kinds["gz"]], folder, "truth-kill")
            test_kill(folder, master, options.binary, kinds["gz"], truth)
        if "errors" in options.cases:
            test_errors(folder, master, options.binary)


def measure(options, folder, log):
    """Times with one and with two workers, and what part of it is spent in the binary; the results are compared too."""
    kinds, whole = split(log, folder, options.files)
    sources = {kind: source for kind, source in [*kinds.items(), ("cut", whole)] if kind in options.cases}
    truths = {}
    lines = [
        "| input | workers | whole run, s | tasks ran, s | in the binary: reading, merging, s | outside of it |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for kind, source in sources.items():
        truths[kind] = Truth(options.binary, [source], folder, "truth-" + kind)
    for workers in (1, 2):
        with cluster(folder, workers) as master:
            for kind, source in sources.items():
                output = folder / "measured.parquet"
                key = "measure-%d-%s" % (workers, kind)
                words = ["--input", source, "--output", output]
                status, said, seconds, events = submit(folder, master, words, options.binary, key)
                found = re.search(r"in the binary ([\d.]+) s reading and ([\d.]+) s merging", said)
                if status != 0 or found is None:
                    raise SystemExit("%s: status %d\n%s" % (key, status, said[-3000:]))
                truths[kind].check(output, said, key)
                reading, merging, ran = float(found.group(1)), float(found.group(2)), run_seconds(events)
                outside = 100 * (1 - (reading + merging) / ran)
                lines.append(
                    "| %s | %d | %.1f | %.1f | %.1f + %.1f | %.0f %% |" % (kind, workers, seconds, ran, reading, merging, outside)
                )
                say(lines[-1])
    say("\n".join(lines))


def lean(binary, folder):
    """The binary under its own name and without what debuggers need, since it is copied to every executor."""
    to = folder / "bin" / "vault-advisor"
    to.parent.mkdir()
    try:
        subprocess.run(["strip", "-o", to, binary], check=True)
    except (OSError, subprocess.CalledProcessError):
        shutil.copy(binary, to)
    return to


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True, type=pathlib.Path)
    parser.add_argument("--gen-log", required=True, type=pathlib.Path)
    parser.add_argument("--size", default="40MB")
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--cases", default="plain,gz,zst,cut,kill,errors", help="which tests")
    parser.add_argument("--measure", action="store_true", help="measure instead of testing")
    parser.add_argument("--keep", action="store_true", help="leave the folder of the test behind")
    options = parser.parse_args()
    options.binary = options.binary.resolve()
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        if options.keep:
            folder = pathlib.Path(tempfile.mkdtemp(prefix="vault-advisor-spark-"))
            say("in %s" % folder)
        else:
            folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vault-advisor-spark-")))
        (folder / "local").mkdir()
        options.binary = lean(options.binary, folder)
        log = folder / "all.log"
        subprocess.run([options.gen_log.resolve(), "--size", options.size, "--in-flight", "64", "--out", log], check=True)
        (measure if options.measure else test_all)(options, folder, log)
    say("done in %.0f s" % (time.monotonic() - began))


if __name__ == "__main__":
    main()
