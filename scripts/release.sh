#!/usr/bin/env bash
# Everything that a release is made of, from one clean commit, into one folder (dist/):
#   vault-advisor-VERSION-TARGET.tar.gz   the program with completions, man pages, licences and docs
#   vault-advisor_VERSION_ARCH.deb        the same as a Debian package
#   vault-advisor-VERSION-TARGET.cdx.json the SBOM (CycloneDX)
#   vault_advisor-VERSION-py3-none-*.whl  the program for `pip`, `pipx` and `uvx`
#   SHA256SUMS-TARGET                     checksums of all of them
#
#   scripts/release.sh                    build the static program (musl), then package it
#   scripts/release.sh --binary FILE      package a program that is already built
#   scripts/release.sh --dry-run          package into a folder that is thrown away, look at it, say what it would be
#
# Needs bash, git, GNU tar, binutils, python3, and dpkg-deb for the Debian package; to build, a musl compiler (musl-tools) and cmake.
# The same commit gives the same bytes: every time in it is that of the commit. MAINTAINER names who answers for the package.
set -euo pipefail
cd "$(dirname "$0")/.."

target="$(uname -m)-unknown-linux-musl"
binary=
dist=dist
dry=
while [ "$#" -gt 0 ]; do
  case "$1" in
    --binary) binary=$2; shift 2 ;;
    --target) target=$2; shift 2 ;;
    --out) dist=$2; shift 2 ;;
    --dry-run) dry=1; shift ;;
    *) echo "release.sh: \`$1\` is not known; see the head of the file" >&2; exit 2 ;;
  esac
done
say() { printf '%s\n' "$*" >&2; }
fail() { say "release.sh: $*"; exit 2; }

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
level=9
[ -z "$dry" ] || { dist="$work/dist"; level=1; }

if [ -z "$dry" ] && [ -n "$(git status --porcelain --untracked-files=no)" ]; then
  fail "files differ from the commit: commit or stash them first"
fi
SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)"
export SOURCE_DATE_EPOCH
umask 022

if [ -z "$binary" ]; then
  # Paths of this machine do not go into the program.
  remap="--remap-path-prefix=$PWD=. --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo"
  RUSTFLAGS="${RUSTFLAGS:-} $remap" cargo build --release --locked --features object-storage --target "$target"
  binary="${CARGO_TARGET_DIR:-target}/$target/release/vault-advisor"
fi
[ -x "$binary" ] || fail "\`$binary\` is no program"

program="$work/vault-advisor"
# For another processor's program name the `strip` that knows it, such as STRIP=llvm-strip.
"${STRIP:-strip}" -o "$program" "$binary"
version="$("$program" -V)"
version="${version##* }"
if readelf -d "$program" | grep -q NEEDED; then
  [ -n "$dry" ] || fail "\`$binary\` is not static"
  say "\`$binary\` is not static: good enough for a dry run only"
fi
if [ -z "$dry" ]; then
  said="$("$program" --version | sed -n 's/^commit: //p')"
  case "$(git rev-parse HEAD)" in
    "$said"*) ;;
    *) fail "the program is of commit \`$said\`, and the files are not" ;;
  esac
fi

say "packaging vault-advisor $version for $target"
mkdir -p "$dist"
name="vault-advisor-$version-$target"
features="$("$program" --version | sed -n 's/^features: //p')"
[ "$features" != none ] || features=
scripts/sbom.py --target "$target" --features "$features" --sbom "$dist/$name.cdx.json" --licences "$work/THIRD-PARTY-LICENCES.txt" >&2

# What the packages hold beside the program.
mkdir -p "$work/completions"
"$program" completions bash > "$work/completions/vault-advisor.bash"
"$program" completions zsh > "$work/completions/_vault-advisor"
"$program" completions fish > "$work/completions/vault-advisor.fish"
"$program" man --quiet --out "$work/man"

# The archive.
root="$work/$name"
mkdir -p "$root"
cp -r "$program" "$work/completions" "$work/man" "$work/THIRD-PARTY-LICENCES.txt" "$root"
git archive HEAD README.md LICENSE CHANGELOG.md SECURITY.md ARCHITECTURE.md docs policies fixtures/acme | tar -x -C "$root"
chmod -R u=rwX,go=rX "$root"
chmod 755 "$root/vault-advisor"
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -C "$work" -c "$name" \
  | gzip "-$level" -n > "$dist/$name.tar.gz"

# The Debian package. The program is static, so it depends on nothing.
if command -v dpkg-deb >/dev/null; then
  case "$target" in
    x86_64-*) arch=amd64 ;;
    aarch64-*) arch=arm64 ;;
    *) fail "no Debian name is known for the processor of \`$target\`" ;;
  esac
  deb="$work/deb"
  maintainer="${MAINTAINER:-Vault Advisor maintainers <maintainers@vault-advisor.invalid>}"
  share="$deb/usr/share"
  doc="$share/doc/vault-advisor"
  mkdir -p "$deb/DEBIAN" "$deb/usr/bin" "$doc" "$share/man/man1" "$share/bash-completion/completions" \
    "$share/zsh/vendor-completions" "$share/fish/vendor_completions.d" "$share/lintian/overrides"
  install -m 755 "$program" "$deb/usr/bin/vault-advisor"
  install -m 644 "$work/completions/vault-advisor.bash" "$share/bash-completion/completions/vault-advisor"
  install -m 644 "$work/completions/_vault-advisor" "$share/zsh/vendor-completions/_vault-advisor"
  install -m 644 "$work/completions/vault-advisor.fish" "$share/fish/vendor_completions.d/vault-advisor.fish"
  for page in "$work"/man/*.1; do gzip -9nc "$page" > "$share/man/man1/$(basename "$page").gz"; done
  cp -r "$root/README.md" "$root/SECURITY.md" "$root/ARCHITECTURE.md" "$root/docs" "$doc"
  gzip -9nc CHANGELOG.md > "$doc/CHANGELOG.md.gz"
  printf 'vault-advisor (%s) unstable; urgency=medium\n\n  * See CHANGELOG.md.gz.\n\n -- %s  %s\n' \
    "$version" "$maintainer" "$(LC_ALL=C date --utc --rfc-email --date="@$SOURCE_DATE_EPOCH")" | gzip -9n > "$doc/changelog.gz"
  gzip -9nc "$work/THIRD-PARTY-LICENCES.txt" > "$doc/THIRD-PARTY-LICENCES.txt.gz"
  {
    echo "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/"
    echo "Upstream-Name: vault-advisor"
    echo
    echo "Files: *"
    echo "Copyright: $(date --utc --date="@$SOURCE_DATE_EPOCH" +%Y) the authors of vault-advisor"
    echo "License: MPL-2.0"
    echo "Comment: The crates that are linked in are named, with their licences, in THIRD-PARTY-LICENCES.txt.gz."
    echo
    echo "License: MPL-2.0"
    sed -e 's/[[:space:]]*$//' -e 's/^$/./' -e 's/^/ /' LICENSE
  } > "$doc/copyright"
  echo "vault-advisor: shared-library-lacks-prerequisites [usr/bin/vault-advisor]" > "$share/lintian/overrides/vault-advisor"
  chmod -R u=rwX,go=rX "$deb"
  cat > "$deb/DEBIAN/control" <<CONTROL
Package: vault-advisor
Version: $version
Architecture: $arch
Maintainer: $maintainer
Installed-Size: $(du -k --apparent-size -s "$deb/usr" | cut -f1)
Section: admin
Priority: optional
Description: least-privilege advice for Vault and OpenBao policies
 Joins what audit logs show was used with what ACL policies grant, and
 proposes tighter policies that are proven to break nobody.
CONTROL
  (cd "$deb" && find usr -type f -print0 | sort -z | xargs -0 md5sum) > "$deb/DEBIAN/md5sums"
  find "$deb" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
  dpkg-deb --root-owner-group -Zxz "-z$level" --build "$deb" "$dist/vault-advisor_${version}_$arch.deb" >/dev/null
else
  say "no dpkg-deb: the Debian package is left out"
fi

scripts/wheel.py --program "$program" --target "$target" --version "$version" --out "$dist" >&2

sums="SHA256SUMS-$target"
(cd "$dist" && rm -f "$sums" && find . -maxdepth 1 -name 'vault[-_]advisor*' -type f -printf '%f\n' | LC_ALL=C sort | xargs sha256sum > "$sums")

# Is everything there that is promised?
contents="$(tar -tzf "$dist/$name.tar.gz")"
for file in vault-advisor completions/vault-advisor.bash completions/_vault-advisor completions/vault-advisor.fish \
  man/vault-advisor.1 man/vault-advisor-advise.1 LICENSE THIRD-PARTY-LICENCES.txt README.md docs/settings.md; do
  grep -qx "$name/$file" <<< "$contents" || fail "the archive lacks \`$file\`"
done
if command -v dpkg-deb >/dev/null; then
  contents="$(dpkg-deb --contents "$dist/vault-advisor_${version}_$arch.deb")"
  for file in usr/bin/vault-advisor usr/share/man/man1/vault-advisor-advise.1.gz usr/share/doc/vault-advisor/copyright \
    usr/share/bash-completion/completions/vault-advisor; do
    grep -q " ./$file\$" <<< "$contents" || fail "the Debian package lacks \`$file\`"
  done
fi
(cd "$dist" && sha256sum --quiet --check "$sums" && du -h --apparent-size -- *)
[ -z "$dry" ] || say "a dry run: nothing is kept"
