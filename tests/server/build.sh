#!/bin/sh
# Builds the server of the end-to-end tests once, from its Go module, and prints the path of its binary.
#
# The binary is kept in $VAULT_ADVISOR_SERVER_CACHE, else in vault-advisor/server in the user's cache folder, and is built
# again only when this folder's sources change. OpenBao's main module has no `/v2` in its path, so Go names its releases by
# pseudo-versions only; go.mod's is the commit of release 2.4.0. Go takes modules from where `go env GOPROXY` says, and checks each
# against go.sum.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cache=${VAULT_ADVISOR_SERVER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vault-advisor/server}
binary=$cache/bao

if ! command -v go >/dev/null 2>&1; then
    echo "build.sh: go is not installed, so no server can be built" >&2
    exit 1
fi

# What the binary was built of: a change of any of it is a new server.
made_of=$(cat "$here/main.go" "$here/go.mod" "$here/go.sum" "$here/build.sh" | cksum)
if [ -x "$binary" ] && [ "$(cat "$cache/made-of" 2>/dev/null || true)" = "$made_of" ]; then
    echo "$binary"
    exit 0
fi

mkdir -p "$cache"
partial=$cache/bao.partial.$$
trap 'rm -f "$partial"' EXIT
# One package at a time and nice: the machine may be small and shared.
(cd "$here" && nice -n 10 go build -p 1 -mod=readonly -trimpath \
    -ldflags "-s -w -X github.com/openbao/openbao/version.fullVersion=2.4.0" \
    -o "$partial" .) >&2
mv "$partial" "$binary"
printf '%s' "$made_of" >"$cache/made-of"
echo "$binary"
