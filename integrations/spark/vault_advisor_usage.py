#!/usr/bin/env python3
"""Turns audit logs of any size into usage, on Apache Spark: each task streams its share of the logs through the
`vault-advisor` binary, and the parts are merged in a tree to one Parquet file that `advise --usage` reads.

    spark-submit --files vault-advisor vault_advisor_usage.py --input s3a://logs/vault/ --output s3a://logs/usage.parquet

A task's only effect is what it returns, so that retried and speculative tasks change nothing. See docs/scale.md.
"""

import argparse
import contextlib
import datetime
import json
import os
import re
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import time

BINARY = "vault-advisor"

# Names by which Hadoop would unpack a file by itself; those files are handed to the binary whole, as they are.
PACKED = (".gz", ".gzip", ".zst", ".bz2", ".lz4", ".snappy", ".deflate", ".xz")

# Plain files up to this size are handed over whole; larger ones are cut into pieces at line ends.
WHOLE = 32 << 20

# What a Java array holds.
MOST_WHOLE = (1 << 31) - (1 << 20)

# Parts that are merged at once.
FAN = 16

# What one call of the binary is given at most: bytes on disk, and bytes of file names.
CALL_BYTES = 256 << 20
CALL_NAMES = 256 << 10

RUNS = "`vault-advisor usage` failed"


class Failure(Exception):
    """What the user should know, without a stack trace."""

    def __init__(self, message, status=2):
        super().__init__(message)
        self.status = status


# ---- On the executors ------------------------------------------------------------------------------------------------


def find_binary(given):
    """The binary: as given, else as `--files` brought it, else on the path."""
    from pyspark import SparkFiles

    if given:
        return given
    for place in (SparkFiles.get(BINARY), os.path.abspath(BINARY)):
        if os.path.isfile(place) and os.access(place, os.X_OK):
            return place
    found = shutil.which(BINARY)
    if found is None:
        raise RuntimeError(RUNS + ": there is no such program; ship it with `--files`, or say where it is with `--binary`")
    return found


@contextlib.contextmanager
def workspace():
    """A folder of its own on the executor's disk, gone afterwards."""
    local = os.environ.get("SPARK_LOCAL_DIRS", "").split(",")[0]
    folder = tempfile.mkdtemp(prefix="vault-advisor-", dir=local if local and os.path.isdir(local) else None)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def call(command, folder, feed=()):
    """Runs the binary in a folder, feeds it blocks, and returns its output and the processor time that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryFile(dir=folder) as out, tempfile.TemporaryFile(dir=folder) as err:
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=err, cwd=folder)
        broken = False
        try:
            for block in feed:
                child.stdin.write(block)
            child.stdin.close()
        except BrokenPipeError:
            broken = True
        except BaseException:
            child.kill()
            raise
        finally:
            status = child.wait()
        if status != 0 or broken:
            err.seek(0)
            said = err.read().decode("utf-8", "replace").strip()[-4000:]
            raise RuntimeError("%s with status %d: %s" % (RUNS, status, said or "it said nothing"))
        out.seek(0)
        output = out.read()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return output, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def begin_of(part):
    """When the first entry of a part was, as sortable text: neighbours in time are merged first."""
    import pyarrow

    from pyarrow import parquet

    about = (parquet.read_metadata(pyarrow.BufferReader(part)).metadata or {}).get(b"vault-advisor.about")
    if about is None:
        raise RuntimeError(RUNS + ": its output is not usage as Parquet")
    return json.loads(about)["coverage"]["first"] or ""


def local_name(uri, number):
    """Under which name a file lies in the workspace: as in its store, since messages name it so."""
    path = re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*:", "", uri).lstrip("/")
    pieces = path.split("/")
    odd = any(p in ("", ".", "..") or len(p.encode("utf-8", "replace")) > 200 for p in pieces)
    if odd or len(path) > 2000 or path.startswith("-"):
        return "file-%d" % number
    return path


def read_whole(files, job):
    """Parts of whole files, compressed or not. A part: bytes, seconds in the binary, seconds in all."""
    command = [find_binary(job["binary"])] + job["read"]
    files = iter(files)
    number = 0
    more = True
    while more:
        began, names, stored, named = time.monotonic(), [], 0, 0
        with workspace() as folder:
            more = False
            for uri, content in files:
                number += 1
                name = local_name(uri, number)
                path = os.path.join(folder, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as to:
                    to.write(content)
                names.append(name)
                stored += len(content)
                named += len(name.encode("utf-8", "replace")) + 1
                if stored >= CALL_BYTES or named >= CALL_NAMES:
                    more = True
                    break
            if names:
                part, seconds = call(command + ["--logs"] + names, folder)
                yield part, seconds, time.monotonic() - began


def text_of(batches):
    """The text of Arrow batches, each of one column of whole lines: their bytes lie behind each other already."""
    import pyarrow

    for batch in batches:
        column = batch.column(0)
        if len(column) == 0:
            continue
        wide = pyarrow.types.is_large_binary(column.type)
        size, code = (8, "<q") if wide else (4, "<i")
        _, offsets, data = column.buffers()
        first, = struct.unpack_from(code, offsets, column.offset * size)
        last, = struct.unpack_from(code, offsets, (column.offset + len(column)) * size)
        if last > first:
            yield memoryview(data)[first:last]


def read_lines(batches, job):
    """The part of a stretch of lines, as Arrow; none for no lines."""
    import pyarrow

    began = time.monotonic()
    text = text_of(batches)
    first = next(text, None)
    if first is None:
        return

    def feed():
        yield first
        yield from text

    command = [find_binary(job["binary"])] + job["read"] + ["--logs", "-"]
    with workspace() as folder:
        part, seconds = call(command, folder, feed())
    yield pyarrow.RecordBatch.from_arrays(
        [pyarrow.array([part], pyarrow.binary()), pyarrow.array([seconds]), pyarrow.array([time.monotonic() - began])],
        names=["part", "binary_seconds", "seconds"],
    )


def merge(parts, job, output=None, quiet=True):
    """One part of several: bytes, or a file where one is named. Returns it, the seconds it took, and what was said."""
    command = [find_binary(job["binary"]), "usage", "--color", "never"]
    with workspace() as folder:
        names = []
        for number, part in enumerate(parts):
            names.append("%d.parquet" % number)
            with open(os.path.join(folder, names[-1]), "wb") as to:
                to.write(part)
        command += ["--format", "parquet", "-o", output or "-"]
        if quiet:
            return call(command + ["-q", "--allow-empty", "--usage"] + names, folder)
        # The last merge is the user's: what the binary says of it, and how it ends, is for him.
        command += ["--usage"] + names if names else ["--logs", os.devnull]
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        said = done.stderr.decode("utf-8", "replace").splitlines(keepends=True)
        return done.returncode, "".join(line for line in said if not line.startswith("wrote "))


def merge_group(pairs, job):
    """The parts of a group in their order as one: (number of the group, (part, seconds in the binary, in all))."""
    began = time.monotonic()
    pairs = sorted(pairs, key=lambda pair: pair[0])
    if not pairs:
        return
    part, seconds = pairs[0][1][0], 0.0
    if len(pairs) > 1:
        part, seconds = merge((value[0] for _, value in pairs), job)
    merged = seconds + sum(value[2] for _, value in pairs)
    read = sum(value[1] for _, value in pairs)
    total = time.monotonic() - began + sum(value[3] for _, value in pairs)
    yield pairs[0][0] // FAN, (part, read, merged, total)


# ---- On the driver ---------------------------------------------------------------------------------------------------


def find_files(spark, inputs):
    """Names and sizes of all files of the inputs: files, folders and globs of any file system that Spark reads."""
    conf = "spark.sql.files.maxPartitionBytes"
    usual = spark.conf.get(conf)
    # Only the listing is read here, however large the files are.
    spark.conf.set(conf, str(1 << 50))
    try:
        reader = spark.read.format("binaryFile").option("recursiveFileLookup", "true")
        rows = reader.load(inputs).select("path", "length").collect()
    finally:
        spark.conf.set(conf, usual)
    return sorted({row.path: row.length for row in rows}.items())


def may_be_cut(spark, path):
    """Whether a log holds one entry a line, by its beginning: only such a log is cut."""
    jvm = spark._jvm
    where = jvm.org.apache.hadoop.fs.Path(path)
    stream = where.getFileSystem(spark._jsc.hadoopConfiguration()).open(where)
    try:
        head = bytes(jvm.org.apache.commons.io.IOUtils.toByteArray(stream, 1 << 16))
    finally:
        stream.close()
    line = head.split(b"\n", 1)[0]
    return line[:1] == b"{" and line[-1:] not in (b"{", b",")


def plan(spark, files, options):
    """Which files are handed over whole, and which are cut."""
    whole, cut = [], []
    for path, length in files:
        if length <= WHOLE or path.lower().endswith(PACKED) or options.unwrap or not may_be_cut(spark, path):
            if length > MOST_WHOLE:
                raise Failure(
                    "`%s` has more than 2 GiB and cannot be cut (compressed, or not one entry a line): "
                    "split it, or read it on one machine with `vault-advisor usage`" % path
                )
            whole.append(path)
        else:
            cut.append(path)
    return whole, cut


def escaped(path):
    """A path that is to be taken as it is where a glob is expected."""
    return re.sub(r"([\\\[\]{}*?])", r"\\\1", path)


def parts_of(spark, whole, cut, job):
    """All parts as (number, (part, seconds in the binary, seconds in all))."""
    context = spark.sparkContext
    sources = []
    if whole:
        # Its argument is a list joined by commas, which are only taken as they are inside of braces.
        names = ",".join(escaped(path).replace(",", "{\\,}") for path in whole)
        sources.append(context.binaryFiles(names).mapPartitions(lambda files: read_whole(files, job)))
    if cut:
        # Split at line feeds alone and never decoded: the bytes reach the binary as they are.
        reader = spark.read.option("lineSep", "\n").option("ignoreCorruptFiles", "false")
        lines = reader.text([escaped(path) for path in cut])
        lines = lines.selectExpr("concat(cast(value as binary), X'0A') as line")
        parts = lines.mapInArrow(lambda batches: read_lines(batches, job), "part binary, binary_seconds double, seconds double")
        sources.append(parts.rdd.map(lambda row: (bytes(row.part), row.binary_seconds, row.seconds)))
    parts = context.union(sources)

    def numbered(index, values):
        for number, (part, inside, seconds) in enumerate(values):
            yield (index, number, begin_of(part)), (part, inside, 0.0, seconds)

    return parts.mapPartitionsWithIndex(numbered)


def merged(spark, parts, job):
    """Merges parts in a tree, neighbours in time first, until few are left. The tree's shape depends on the logs alone."""
    width = max(1, parts.getNumPartitions())
    # What is read lies in shuffle files from here on, so that asking for the times first reads no log twice.
    kept = parts.partitionBy(width, lambda key: key[0])
    keys = sorted(kept.keys().collect(), key=lambda key: (key[2], key[0], key[1]))
    rank = spark.sparkContext.broadcast({key[:2]: place for place, key in enumerate(keys)})
    level = kept.map(lambda pair: (rank.value[pair[0][:2]], pair[1]))
    left = len(keys)
    while left > FAN:
        groups = -(-left // FAN)
        level = level.partitionBy(groups, lambda place: place // FAN).mapPartitions(lambda pairs: merge_group(pairs, job))
        left = groups
    return len(keys), [value for _, value in sorted(level.collect(), key=lambda pair: pair[0])]


def absolute_window(options):
    """The window as times, the same for all tasks, whenever they run."""
    flags = []
    since = options.since
    if options.window:
        found = re.fullmatch(r"([0-9.]+)(s|m|min|h|d|w|)", options.window.strip())
        units = {"s": 1, "": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
        if found is None:
            raise Failure("`%s` is not a duration: write a number and a unit, such as 90d or 12h" % options.window)
        if since or options.until:
            raise Failure("`--window` counts back from now: give it without `--since` and `--until`")
        length = datetime.timedelta(seconds=float(found.group(1)) * units[found.group(2)])
        since = (datetime.datetime.now(datetime.timezone.utc) - length).strftime("%Y-%m-%dT%H:%M:%SZ")
    for flag, value in (("--since", since), ("--until", options.until)):
        if value:
            flags += [flag, value]
    return flags


def store(spark, local, output):
    """Puts the result in its place, whole or not at all."""
    if "://" not in output and not output.startswith("file:"):
        beside = os.path.join(os.path.dirname(output) or ".", ".%s.%d" % (os.path.basename(output), os.getpid()))
        shutil.copyfile(local, beside)
        os.replace(beside, output)
        return
    jvm, conf = spark._jvm, spark._jsc.hadoopConfiguration()
    final = jvm.org.apache.hadoop.fs.Path(output)
    beside = jvm.org.apache.hadoop.fs.Path(final.getParent(), "." + final.getName() + ".part")
    system = final.getFileSystem(conf)
    system.copyFromLocalFile(False, True, jvm.org.apache.hadoop.fs.Path("file://" + local), beside)
    if system.exists(final):
        system.delete(final, False)
    if not system.rename(beside, final):
        raise Failure("cannot write `%s`" % output)


def arguments():
    parser = argparse.ArgumentParser(description="Audit logs to usage, on Spark.")
    parser.add_argument("--input", nargs="+", required=True, metavar="PATH", help="files, folders and globs of logs")
    parser.add_argument("--output", required=True, metavar="FILE", help="the usage to write, as Parquet")
    parser.add_argument("--since", metavar="TIME", help="leave out what was before this time")
    parser.add_argument("--until", metavar="TIME", help="leave out what was after this time")
    parser.add_argument("--window", metavar="DURATION", help="only so far back from now (90d, 12h)")
    parser.add_argument("--group-by", metavar="BY", help="what a principal is, as in `vault-advisor usage`")
    parser.add_argument("--envelope", metavar="KIND", help="how lines are wrapped, as in `vault-advisor usage`")
    parser.add_argument("--unwrap", metavar="POINTER", help="JSON pointer to the entry in each wrapping object")
    parser.add_argument("--strict", action="store_true", help="any line that has to be skipped is an error")
    parser.add_argument("--binary", metavar="FILE", help="where the binary is on every machine (else `--files`, else the path)")
    parser.add_argument("--piece", type=int, default=128, metavar="MIB", help="about what one task reads (default: 128)")
    return parser.parse_args()


def work(spark, options):
    """Reads, merges, writes. Returns the exit status."""
    flags = absolute_window(options)
    for flag in ("group_by", "envelope", "unwrap"):
        if getattr(options, flag):
            flags += ["--" + flag.replace("_", "-"), getattr(options, flag)]
    if options.strict:
        flags.append("--strict")
    threads = spark.conf.get("spark.task.cpus", "1")
    read = ["usage", "-q", "--color", "never", "--threads", threads, "--format", "parquet", "--allow-empty", "-o", "-"]
    job = {"binary": options.binary, "read": read + flags}

    files = find_files(spark, options.input)
    whole, cut = plan(spark, [file for file in files if file[1] > 0], options)
    print("%d files, %d bytes as stored: %d whole, %d cut" % (len(files), sum(f[1] for f in files), len(whole), len(cut)), file=sys.stderr)
    count, values = 0, []
    if whole or cut:
        count, values = merged(spark, parts_of(spark, whole, cut, job), job)
    folder = tempfile.mkdtemp(prefix="vault-advisor-")
    try:
        local = os.path.join(folder, "usage.parquet")
        status, said = merge([value[0] for value in values], job, output=local, quiet=False)
        if status != 0:
            raise Failure(said.strip(), status)
        store(spark, local, options.output)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.stderr.write(said)
    spent = tuple(sum(value[n] for value in values) for n in (1, 2, 3))
    print("%d parts; in the binary %.1f s reading and %.1f s merging, in the tasks' functions %.1f s" % ((count,) + spent), file=sys.stderr)
    print("wrote %s" % options.output, file=sys.stderr)
    return 0


def main():
    options = arguments()
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    piece = str(options.piece << 20)
    session = SparkSession.builder.appName("vault-advisor usage")
    for key, value in (
        ("spark.files.maxPartitionBytes", piece),
        ("spark.sql.files.maxPartitionBytes", piece),
        ("spark.sql.execution.arrow.maxRecordsPerBatch", "1000"),
        ("spark.hadoop.mapreduce.input.fileinputformat.list-status.num-threads", "16"),
    ):
        session = session.config(key, value)
    spark = session.getOrCreate()
    try:
        return work(spark, options)
    except Failure as failure:
        print(failure if "error: " in str(failure) else "error: %s" % failure, file=sys.stderr)
        return failure.status
    except (Py4JJavaError, PySparkException) as error:
        said = str(error)
        at = said.find(RUNS)
        if at >= 0:
            said = re.split(r"\n\s+at |\n\n", said[at:], maxsplit=1)[0].strip()
        print("error: %s" % said, file=sys.stderr)
        return 2
    finally:
        spark.stop()


if __name__ == "__main__":
    sys.exit(main())
