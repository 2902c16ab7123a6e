#!/usr/bin/env python3
"""What a built program is made of, from `cargo metadata`: an SBOM (CycloneDX 1.5) and the licence texts of the crates in it.

    scripts/sbom.py --target TRIPLE --sbom FILE --licences FILE [--features LIST]

A crate whose licence `deny.toml` does not allow is an error. Only what is linked into the program counts: dependencies of tests and of build scripts are left out. The same source gives
the same bytes. Needs nothing but Python 3.11 and cargo.

Why it is a script of our own: cargo-cyclonedx 0.5.9 was tried in its place (`--spec-version 1.5 --no-build-deps`, with the features of a release, for x86_64-unknown-linux-gnu,
2026-12-01). It names all 328 crates that are named here, with the same licences and hashes, and 29 more: macros and what they are made of, which run while the program is built and are not
in it; no flag leaves them out. The path of the folder it was built in is in its names, so that another folder gives other bytes; with `SOURCE_DATE_EPOCH` there is no serial number. The
licence texts, and the look at `deny.toml`, would stay as they are here.
"""

import argparse
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import tomllib
import uuid

TEXTS = re.compile(r"^(licen[cs]e|copying|notice|unlicense)", re.IGNORECASE)


def metadata(target, features):
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target]
    if features:
        command += ["--features", features]
    return json.loads(subprocess.check_output(command))


def linked(data):
    """The packages that end up in the program, and for each those that it needs itself."""
    nodes = {node["id"]: node for node in data["resolve"]["nodes"]}
    packages = {package["id"]: package for package in data["packages"]}

    def macro(package):
        return any("proc-macro" in target["kind"] for target in packages[package]["targets"])

    needs = {}
    waiting = [data["resolve"]["root"]]
    while waiting:
        package = waiting.pop()
        if package in needs:
            continue
        # A macro runs while the program is built, and is not in it.
        needs[package] = sorted(
            dep["pkg"]
            for dep in nodes[package]["deps"]
            if any(kind["kind"] is None for kind in dep["dep_kinds"]) and not macro(dep["pkg"])
        )
        waiting += needs[package]
    return packages, needs


def allows(allowed, expression):
    """Whether an SPDX expression can be satisfied by licences of the list."""
    words = re.findall(r"\(|\)|[A-Za-z0-9.+-]+(?: WITH [A-Za-z0-9.-]+)?", re.sub(r"\s*/\s*", " OR ", expression))

    def either():
        value = both()
        while words[:1] == ["OR"]:
            words.pop(0)
            value = both() or value
        return value

    def both():
        value = single()
        while words[:1] == ["AND"]:
            words.pop(0)
            value = single() and value
        return value

    def single():
        word = words.pop(0)
        if word != "(":
            return word in allowed
        value = either()
        words.pop(0)
        return value

    return bool(words) and either()


def refused(packages, needs):
    """What is linked and not allowed."""
    allowed = tomllib.loads(pathlib.Path("deny.toml").read_text(encoding="utf-8"))["licenses"]["allow"]
    linked_packages = sorted((packages[p] for p in needs), key=lambda p: p["name"])
    return [f"{p['name']} ({p['license']})" for p in linked_packages if not allows(allowed, p["license"] or "")]


def reference(package):
    return f"pkg:cargo/{package['name']}@{package['version'].replace('+', '%2B')}"


def checksums():
    """The hashes of `Cargo.lock`, by name and version."""
    found, name, version = {}, None, None
    for line in pathlib.Path("Cargo.lock").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(" = ")
        value = value.strip('"')
        if key == "name":
            name = value
        elif key == "version":
            version = value
        elif key == "checksum":
            found[(name, version)] = value
    return found


def component(package, kind, hashes):
    out = {
        "type": kind,
        "bom-ref": reference(package),
        "name": package["name"],
        "version": package["version"],
        "purl": reference(package),
    }
    if package.get("description"):
        out["description"] = " ".join(package["description"].split())
    if package.get("license"):
        # Some old crates write `/` for OR.
        out["licenses"] = [{"expression": re.sub(r"\s*/\s*", " OR ", package["license"])}]
    checksum = hashes.get((package["name"], package["version"]))
    if checksum:
        out["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return out


def sbom(packages, needs, root, target):
    hashes = checksums()
    others = sorted((p for p in needs if p != root), key=lambda p: (packages[p]["name"], packages[p]["version"]))
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": component(packages[root], "application", hashes),
            "properties": [{"name": "cargo:target", "value": target}],
        },
        "components": [component(packages[p], "library", hashes) for p in others],
        "dependencies": [
            {"ref": reference(packages[p]), "dependsOn": sorted(reference(packages[d]) for d in needs[p])}
            for p in [root, *others]
        ],
    }
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch:
        moment = datetime.datetime.fromtimestamp(int(epoch), datetime.timezone.utc)
        document["metadata"]["timestamp"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    # A number of its own, but the same for the same parts.
    text = json.dumps(document, sort_keys=True)
    document["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, text)}"
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def licences(packages, needs, root):
    """The texts, each once, with the crates that come under it."""
    texts, without = {}, []
    for package in sorted((packages[p] for p in needs if p != root), key=lambda p: (p["name"], p["version"])):
        name = f"{package['name']} {package['version']} ({package.get('license') or 'no expression'})"
        folder = pathlib.Path(package["manifest_path"]).parent
        files = sorted(f for f in folder.iterdir() if f.is_file() and TEXTS.match(f.name))
        if not files:
            without.append(name)
        for file in files:
            text = file.read_text(encoding="utf-8", errors="replace").strip()
            texts.setdefault(text, []).append(name)
    out = ["This program contains the crates named here, each under its own licence.\n"]
    for text, names in sorted(texts.items(), key=lambda item: item[1]):
        out.append("=" * 80 + "\n" + "\n".join(names) + "\n" + "-" * 80 + "\n" + text + "\n")
    if without:
        out.append("=" * 80 + "\nWithout a text in the crate, under the licence that it names:\n" + "\n".join(without) + "\n")
    return "\n".join(out)


def main():
    flags = argparse.ArgumentParser(description="An SBOM and the licence texts of what is in the program")
    flags.add_argument("--target", required=True)
    flags.add_argument("--features", default="")
    flags.add_argument("--sbom", required=True, type=pathlib.Path)
    flags.add_argument("--licences", required=True, type=pathlib.Path)
    args = flags.parse_args()
    os.chdir(pathlib.Path(__file__).resolve().parent.parent)
    data = metadata(args.target, args.features)
    packages, needs = linked(data)
    root = data["resolve"]["root"]
    wrong = refused(packages, needs)
    if wrong:
        sys.exit(f"licences that deny.toml does not allow: {', '.join(wrong)}")
    args.sbom.write_text(sbom(packages, needs, root, args.target), encoding="utf-8")
    args.licences.write_text(licences(packages, needs, root), encoding="utf-8")
    print(f"all licences allowed: {len(needs) - 1} crates in the program for {args.target}")


if __name__ == "__main__":
    main()
