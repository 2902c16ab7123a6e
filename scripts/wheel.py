#!/usr/bin/env python3
"""A wheel that holds a program which is already built: `pip install` puts it on the PATH.

    scripts/wheel.py --program FILE --target TRIPLE --version VERSION --out DIR

A static program runs on every Linux of its processor, whatever its C library. The same program gives the same bytes. Needs
nothing but Python 3.11.
"""

import argparse
import base64
import hashlib
import os
import pathlib
import time
import tomllib
import zipfile

# PEP 600 and 656: what the program needs is less than any of these promise.
TAGS = {
    "x86_64-unknown-linux-musl": "manylinux_2_17_x86_64.manylinux2014_x86_64.musllinux_1_1_x86_64",
    "aarch64-unknown-linux-musl": "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
    "x86_64-apple-darwin": "macosx_11_0_x86_64",
    "aarch64-apple-darwin": "macosx_11_0_arm64",
}
NAME = "vault_advisor"
WHEEL = "Wheel-Version: 1.0\nGenerator: vault-advisor\nRoot-Is-Purelib: false\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, type=pathlib.Path)
    parser.add_argument("--target", required=True, choices=sorted(TAGS))
    parser.add_argument("--version", required=True)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    args = parser.parse_args()

    root = pathlib.Path(__file__).resolve().parent.parent
    about = tomllib.loads((root / "Cargo.toml").read_text(encoding="utf-8"))["package"]
    if about["version"] != args.version:
        raise SystemExit(f"wheel.py: the program is version {args.version}, and Cargo.toml says {about['version']}")
    info = f"{NAME}-{args.version}.dist-info"
    tags = "".join(f"Tag: py3-none-{tag}\n" for tag in TAGS[args.target].split("."))
    metadata = (
        f"Metadata-Version: 2.4\nName: vault-advisor\nVersion: {args.version}\nSummary: {about['description']}\n"
        f"License-Expression: {about['license']}\nLicense-File: LICENSE\nKeywords: {','.join(about['keywords'])}\n"
        "Requires-Python: >=3.8\nDescription-Content-Type: text/markdown\n\n"
    ) + (root / "README.md").read_text(encoding="utf-8")
    files = [
        (f"{NAME}-{args.version}.data/scripts/vault-advisor", args.program.read_bytes(), 0o755),
        (f"{info}/METADATA", metadata.encode(), 0o644),
        (f"{info}/WHEEL", (WHEEL + tags).encode(), 0o644),
        (f"{info}/licenses/LICENSE", (root / "LICENSE").read_bytes(), 0o644),
    ]
    record = ""
    for name, data, _ in files:
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(data)}\n"
    record += f"{info}/RECORD,,\n"
    files.append((f"{info}/RECORD", record.encode(), 0o644))

    # A zip cannot tell of times before 1980.
    epoch = max(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), 315532800)
    when = time.gmtime(epoch)[:6]
    args.out.mkdir(parents=True, exist_ok=True)
    wheel = args.out / f"{NAME}-{args.version}-py3-none-{TAGS[args.target]}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data, mode in files:
            entry = zipfile.ZipInfo(name, date_time=when)
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    print(wheel)


if __name__ == "__main__":
    main()
