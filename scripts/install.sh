#!/usr/bin/env bash
# Puts a released program into a folder: the archive of this machine, its checksum checked. For CI; needs bash, curl, tar and
# sha256sum (or shasum).
#
#   scripts/install.sh VERSION FOLDER [BASE]
#
# BASE is where the releases lie: https://github.com/OWNER/REPO/releases/download unless said.
set -euo pipefail

fail() { printf 'install.sh: %s\n' "$*" >&2; exit 2; }
[ "$#" -ge 2 ] || fail "needs a version and a folder"
version=${1#v}
folder=$2
base=${3:-}
[[ "$version" =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$ ]] || fail "\`$version\` is no version such as 1.2.3"
[ -n "$base" ] || fail "nobody says where the releases lie"
case "$base" in
  https://* | file:///*) ;;
  *) fail "the releases lie neither behind https nor in a folder" ;;
esac

case "$(uname -s)-$(uname -m)" in
  Linux-x86_64) target=x86_64-unknown-linux-musl ;;
  Linux-aarch64 | Linux-arm64) target=aarch64-unknown-linux-musl ;;
  Darwin-x86_64) target=x86_64-apple-darwin ;;
  Darwin-arm64) target=aarch64-apple-darwin ;;
  *) fail "there is no release for $(uname -s) on $(uname -m)" ;;
esac

name="vault-advisor-$version-$target"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
get() { curl --fail --silent --show-error --location --proto '=https,file' --proto-redir '=https' --retry 3 --max-time 300 --output "$work/$1" "$base/v$version/$1"; }
get "$name.tar.gz" || fail "there is no \`$name.tar.gz\` of v$version"
get "SHA256SUMS-$target" || fail "there are no checksums of v$version"
line="$(grep -F "  $name.tar.gz" "$work/SHA256SUMS-$target" | head -n 1)" || fail "the checksums do not name \`$name.tar.gz\`"
if command -v sha256sum >/dev/null; then
  have="$(sha256sum "$work/$name.tar.gz")"
else
  have="$(shasum -a 256 "$work/$name.tar.gz")"
fi
[ "${line%% *}" = "${have%% *}" ] || fail "\`$name.tar.gz\` is not what its checksum says"
tar -xzf "$work/$name.tar.gz" -C "$work" "$name/vault-advisor"
mkdir -p "$folder"
mv "$work/$name/vault-advisor" "$folder/vault-advisor"
chmod 755 "$folder/vault-advisor"
"$folder/vault-advisor" -V
