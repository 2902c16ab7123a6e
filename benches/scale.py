#!/usr/bin/env python3
"""How the analysis grows: synthetic usage, policies and a deployment of growing sizes, and the time and memory of each step
of `advise` on them.

usage: benches/scale.py [--binary target/release/vault-advisor] [--sizes 1000,3000,10000,30000,100000] [--limit 300] [--work DIR]

N principals in teams of ten use 10 N paths of theirs under N / 5 policies: each team has a policy to read and list all its
paths and one to write some of them; every principal holds the first, half of them the second, all the templated `default`,
ten auditors list everything, and twenty operators may change policies and roles. Each principal has 24 demands on its team's
paths. Needs Python 3.9, and matplotlib for the plot. Writes docs/performance/scale.json and docs/performance/scale.svg, and
prints the table.
"""
import argparse
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DEFAULT = """
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "sys/capabilities-self" { capabilities = ["update"] }
path "identity/entity/id/{{identity.entity.id}}" { capabilities = ["read"] }
path "cubbyhole/*" { capabilities = ["create", "read", "update", "delete", "list"] }
"""
FEW = {
    "auditors": 'path "secret/metadata/*" { capabilities = ["list"] }\n',
    "operators": 'path "sys/policies/acl/*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }\n'
    'path "auth/approle/role/*" { capabilities = ["create", "read", "update", "delete", "list"] }\n',
}


def entity(n):
    return "%08x-0000-4000-8000-%012x" % (n * 2654435761 % (1 << 32), n)


def held(n):
    """The policies of a principal, as the servers sort them."""
    team = n // 10
    names = ["default", "team-%06d" % team]
    if n % 2:
        names.append("team-%06d-write" % team)
    if n < 10:
        names.append("auditors")
    elif n < 30:
        names.append("operators")
    return sorted(names)


def world(folder, principals):
    """Writes log, policies and deployment."""
    rng = random.Random(principals)
    policies = os.path.join(folder, "policies")
    deployment = os.path.join(folder, "deployment")
    os.makedirs(policies)
    os.makedirs(deployment)
    for name, text in [("default", DEFAULT), *FEW.items()]:
        with open(os.path.join(policies, name + ".hcl"), "w") as to:
            to.write(text)
    for team in range((principals + 9) // 10):
        with open(os.path.join(policies, "team-%06d.hcl" % team), "w") as to:
            to.write('path "secret/data/team-%06d/*" { capabilities = ["read"] }\n' % team)
            to.write('path "secret/metadata/team-%06d/*" { capabilities = ["list", "read"] }\n' % team)
        with open(os.path.join(policies, "team-%06d-write.hcl" % team), "w") as to:
            for app in range(0, 10, 2):
                to.write('path "secret/data/team-%06d/app-%d/*" { capabilities = ["create", "read", "update", "patch"] }\n' % (team, app))
            to.write('path "secret/data/team-%06d/+/key-9" { capabilities = ["create", "read", "update", "delete"] }\n' % team)
    mount = {"namespace": "", "description": ""}
    tables = {
        "mounts": [{**mount, "path": "secret/", "kind": "kv", "accessor": "kv_1", "kv_version": 2}],
        "auth": [{**mount, "path": "auth/approle/", "kind": "approle", "accessor": "approle_1", "kv_version": None}],
        "roles": [
            {"namespace": "", "mount": "auth/approle/", "kind": "approle", "item": "role", "name": "app-%d" % n,
             "policies": [p for p in held(n) if p != "default"]}
            for n in range(principals)
        ],
        "entities": [
            {"id": entity(n), "name": "entity-%d" % n,
             "aliases": [{"id": "alias-%d" % n, "name": "app-%d" % n, "mount_accessor": "approle_1"}]}
            for n in range(principals)
        ],
    }
    for name, rows in tables.items():
        with open(os.path.join(deployment, name + ".json"), "w") as to:
            json.dump(rows, to)
    with open(os.path.join(folder, "audit.log"), "w") as to:
        for n in range(principals):
            team = n // 10
            auth = json.dumps(
                {"accessor": "hmac-sha256:%064x" % n, "display_name": "approle", "policies": held(n),
                 "token_policies": held(n), "metadata": {"role_name": "app-%d" % n}, "entity_id": entity(n), "token_type": "service"},
                separators=(",", ":"),
            )
            asked = []
            for _ in range(22):
                app, key = rng.randrange(10), rng.randrange(10)
                write = n % 2 and (app % 2 == 0 or key == 9) and rng.random() < 0.4
                asked.append(("update" if write else "read", "secret/data/team-%06d/app-%d/key-%d" % (team, app, key)))
            asked.append(("list", "secret/metadata/team-%06d/app-%d/" % (team, rng.randrange(10))))
            asked.append(("read", "auth/token/lookup-self"))
            if 10 <= n < 30:
                asked.append(("read", "sys/policies/acl/team-%06d" % team))
            for operation, path in asked:
                at = rng.randrange(60 * 86400)
                day, rest = divmod(at, 86400)
                to.write(
                    '{"time":"2026-%02d-%02dT%02d:%02d:%02dZ","type":"response","auth":%s,"request":{"id":"%032x","operation":"%s",'
                    '"mount_type":"%s","namespace":{"id":"root"},"path":"%s"}}\n'
                    % (1 + day // 30, 1 + day % 28, rest // 3600, rest // 60 % 60, rest % 60, auth, rng.getrandbits(128), operation,
                       "token" if path.startswith("auth/") else "system" if path.startswith("sys/") else "kv", path)
                )


def run(command, limit):
    """Seconds, peak MiB and stderr; none of them when the limit is reached."""
    began = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        _, said = child.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        child.kill()
        _, said = child.communicate()
        return None, said
    if child.returncode != 0:
        sys.exit("%s: %s" % (" ".join(command), said[-2000:]))
    return time.monotonic() - began, said


def measure(binary, principals, folder, limit):
    """One size: what is in it, and (seconds, MiB in use afterwards) by step."""
    world(folder, principals)
    usage = os.path.join(folder, "usage.parquet")
    run([binary, "usage", "-q", "--logs", os.path.join(folder, "audit.log"), "-o", usage], 600)
    os.remove(os.path.join(folder, "audit.log"))
    out = os.path.join(folder, "out")
    command = [binary, "advise", "-v", "--color", "never", "--usage", usage, "--policies", os.path.join(folder, "policies"),
               "--deployment", os.path.join(folder, "deployment"), "--out", out]
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    seconds, said = run(command, limit)
    steps = {name: (float(s), int(m)) for s, m, name in re.findall(r"^ *([\d.]+) s, (\d+) MiB: (.*)$", said, re.M)}
    result = {"principals": principals, "paths": principals * 10, "policies": principals // 5 + 3, "seconds": seconds, "steps": steps}
    if seconds is None:
        return result
    # The largest of all children so far: sizes grow, so it is this one's.
    result["peak_mib"] = max(before, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) // 1024
    result["report_html_mb"] = os.path.getsize(os.path.join(out, "report.html")) / 1e6
    result["advice_json_mb"] = os.path.getsize(os.path.join(out, "advice.json")) / 1e6
    return result


def table(results):
    names = list(dict.fromkeys(name for r in results for name in r["steps"]))
    print("| step, s | " + " | ".join("%d" % r["principals"] for r in results) + " |")
    print("|---|" + "---:|" * len(results))
    for name in names:
        cells = ["%.2f" % r["steps"][name][0] if name in r["steps"] else "" for r in results]
        print("| %s | %s |" % (name, " | ".join(cells)))
    print("| **all** | " + " | ".join("%.1f" % r["seconds"] if r["seconds"] else "stopped" for r in results) + " |")
    print("| peak memory, MiB | " + " | ".join("%d" % r.get("peak_mib", 0) for r in results) + " |")
    print("| report.html, MB | " + " | ".join("%.1f" % r.get("report_html_mb", 0) for r in results) + " |")


def plot(results, path):
    try:
        import matplotlib
    except ImportError:
        print("no matplotlib: no plot", file=sys.stderr)
        return
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "scale"
    from matplotlib import pyplot

    whole = [r for r in results if r["seconds"]]
    sizes = [r["principals"] for r in whole]
    figure, axes = pyplot.subplots(figsize=(8, 5))
    last = whole[-1]["steps"]
    for name in sorted(last, key=lambda n: -last[n][0])[:9]:
        points = [(r["principals"], max(r["steps"][name][0], 1e-3)) for r in whole if name in r["steps"]]
        axes.plot(*zip(*points), marker="o", markersize=3, label=name)
    axes.plot(sizes, [r["seconds"] for r in whole], color="black", marker="o", markersize=3, linewidth=2, label="all")
    base = whole[0]["seconds"] / sizes[0]
    axes.plot(sizes, [base * n for n in sizes], color="grey", linestyle=":", label="in proportion")
    axes.set(xscale="log", yscale="log", xlabel="principals (paths: ten times as many, policies: a fifth)", ylabel="seconds")
    axes.grid(True, which="major", alpha=0.3)
    axes.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=os.path.join(ROOT, "target/release/vault-advisor"))
    parser.add_argument("--sizes", default="1000,3000,10000,30000,100000")
    parser.add_argument("--limit", type=float, default=300, help="seconds after which a run is stopped")
    parser.add_argument("--work", help="folder for what is generated")
    parser.add_argument("--results", default=os.path.join(ROOT, "docs/performance"), help="folder for the results")
    parser.add_argument("--world", type=int, help="only write what is read, for so many principals, to --work")
    options = parser.parse_args()
    if options.world:
        world(options.work, options.world)
        return
    results = []
    for size in (int(s) for s in options.sizes.split(",")):
        folder = tempfile.mkdtemp(prefix="scale-", dir=options.work)
        try:
            results.append(measure(options.binary, size, folder, options.limit))
        finally:
            shutil.rmtree(folder)
        print("%d: %s" % (size, results[-1]["seconds"]), file=sys.stderr)
        if results[-1]["seconds"] is None:
            break
    table(results)
    with open(os.path.join(options.results, "scale.json"), "w") as to:
        json.dump(results, to, indent=1)
        to.write("\n")
    plot(results, os.path.join(options.results, "scale.svg"))


if __name__ == "__main__":
    main()
