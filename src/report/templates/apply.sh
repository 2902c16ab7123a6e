#!/usr/bin/env bash
# Brings the proposed policies to a server, one careful step at a time.
#
#   apply.sh                    print what would be done; no server is asked
#   apply.sh --check            compare what is live with what was analysed; nothing is written
#   apply.sh --yes              check everything, then do it
#   apply.sh --finish [--yes]   the second half, where there is one: what may only go when no token needs it any more
#   apply.sh --rollback [--yes] take everything back, in the opposite order
#
# It talks through the `bao` or `vault` command (VAULT_CLI names another) with the address and token that the command
# finds by itself (VAULT_ADDR, VAULT_TOKEN, VAULT_NAMESPACE); it never reads or prints the token.
#
# Before each write the live policy is read and its hash compared with the one that was analysed (white space at its
# beginning and end does not count). Where the server has versions of policies (OpenBao), the write says which version it
# replaces. What was live is kept in rollback/live, byte for byte. It stops at the first surprise.
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
yes=no check=no part=apply
for argument in "$@"; do
  case $argument in
    --yes) yes=yes ;;
    --check) check=yes ;;
    --finish) part=finish ;;
    --rollback) part=rollback ;;
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) printf 'error: unknown argument %q; --help names those there are\n' "$argument" >&2; exit 2 ;;
  esac
done

stop() {
  printf 'STOPPED: %s\n' "$*" >&2
  if [[ $go == write ]]; then printf 'Nothing after this step was done. What was done before it stays, until it is taken back with --rollback.\n' >&2
  else printf 'Nothing was written.\n' >&2
  fi
  exit 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

find_cli() {
  cli=${VAULT_CLI:-}
  if [[ -z $cli ]]; then
    if command -v bao >/dev/null && [[ -n ${BAO_ADDR:-} || -z $(command -v vault) ]]; then cli=bao
    elif command -v vault >/dev/null; then cli=vault
    else printf 'error: neither bao nor vault is on the PATH; VAULT_CLI can name it\n' >&2; exit 2
    fi
  fi
  # What the command prints must not depend on the reader's own settings.
  unset VAULT_FORMAT BAO_FORMAT
}

sum() {
  if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -d ' ' -f 1
}

# The hash of a policy without the white space around it.
digest() {
  local text
  text=$(cat -- "$1")
  text=${text#"${text%%[![:space:]]*}"}
  text=${text%"${text##*[![:space:]]}"}
  printf '%s' "$text" | sum
}

# read_live NAME: the live policy goes to $work/live; 1 where there is none.
read_live() {
  if "$cli" read -format=table -field=policy "sys/policies/acl/$1" >"$work/live" 2>"$work/error"; then return 0; fi
  if grep -q 'No value found' "$work/error"; then return 1; fi
  sed -n '1,5p' "$work/error" >&2
  stop "cannot read policy $1"
}

# state NAME BEFORE AFTER: before, after, absent or other. The version, where there is one, goes to $version. It is read
# before the text: a change between the two makes the write fail, not pass.
state() {
  version=$("$cli" read -format=table -field=version "sys/policies/acl/$1" 2>/dev/null) || version=
  [[ $version =~ ^[0-9]+$ ]] || version=
  if ! read_live "$1"; then found=absent; return; fi
  local live
  live=$(digest "$work/live")
  if [[ $live == "$3" ]]; then found=after
  elif [[ $live == "$2" ]]; then found=before
  else found=other
  fi
}

# write NAME FILE: replaces exactly the version that was looked at, where the server knows versions.
write() {
  local more=()
  if [[ $found == absent ]]; then
    # -1: there must be none. A server without versions would take the field for nothing.
    if [[ ${versions:-no} == yes ]]; then more+=(cas=-1); fi
  elif [[ -n $version ]]; then
    more+=("cas=$version")
    if [[ $("$cli" read -format=table -field=cas_required "sys/policies/acl/$1" 2>/dev/null) == true ]]; then more+=(cas_required=true); fi
    if "$cli" read -format=table -field=expiration "sys/policies/acl/$1" >/dev/null 2>&1; then stop "policy $1 has an expiration, which a write would lose"; fi
  fi
  "$cli" write "sys/policies/acl/$1" "policy=@$2" ${more[@]+"${more[@]}"} >/dev/null || stop "the server refused to write policy $1"
  read_live "$1" && cmp -s "$work/live" "$2" || stop "policy $1 is not what was written"
}

# keep NAME FILE: what is live is kept, byte for byte, once.
keep() {
  local kept=$here/rollback/live/$2
  if [[ -e $kept ]]; then return; fi
  mkdir -p "$(dirname "$kept")"
  cp "$work/live" "$kept.new" && mv "$kept.new" "$kept"
}

original() {
  if [[ -e $here/rollback/live/$1 ]]; then printf '%s' "$here/rollback/live/$1"; else printf '%s' "$here/rollback/policies/$1"; fi
}

told() { printf '  %-9s %s\n' "$1" "$2"; }

# edit NAME FILE BEFORE AFTER
edit() {
  if [[ $go == plan ]]; then told edit "policy $1, from @FOLDER@$(printf %q "$2")"; return; fi
  state "$1" "$3" "$4"
  case $found in
    after) told done "policy $1 is as proposed" ;;
    before)
      if [[ $go == check ]]; then told ready "policy $1 is as analysed"; return; fi
      keep "$1" "$2"; write "$1" "$here/@FOLDER@$2"; told edited "policy $1" ;;
    absent) stop "policy $1 is not on the server any more" ;;
    *) stop "policy $1 on the server is not the one that was analysed" ;;
  esac
}

# add NAME FILE - AFTER
add() {
  if [[ $go == plan ]]; then told add "policy $1, from @FOLDER@$(printf %q "$2")"; return; fi
  state "$1" - "$4"
  case $found in
    after) told done "policy $1 is there" ;;
    absent)
      if [[ $go == check ]]; then told ready "policy $1 is not there yet"; return; fi
      write "$1" "$here/@FOLDER@$2"; told added "policy $1" ;;
    *) stop "a policy $1 is on the server already, and it is another one" ;;
  esac
}

# delete NAME FILE BEFORE -
delete() {
  if [[ $go == plan ]]; then told delete "policy $1"; return; fi
  state "$1" "$3" -
  case $found in
    absent) told done "policy $1 is gone" ;;
    before)
      if [[ $go == check ]]; then told ready "policy $1 is as analysed"; return; fi
      keep "$1" "$2"
      "$cli" delete "sys/policies/acl/$1" >/dev/null || stop "the server refused to delete policy $1"
      told deleted "policy $1" ;;
    *) stop "policy $1 on the server is not the one that was analysed" ;;
  esac
}

# A list of policies, sorted. `default` comes with every token by itself: whether it is listed says nothing.
sorted() { tr -d '[]" \n\t' | tr ',' '\n' | sort -u | sed '/^$/d; /^default$/d' | paste -s -d , -; }

# assign PATH FIELD NOW THEN: the list of policies of a holder; both lists sorted, with commas.
assign() {
  if [[ $go == plan ]]; then told assign "$1: $2 = ${4:-(none)}, now ${3:-(none)}"; return; fi
  local live
  live=$("$cli" read -format=json -field="$2" "$1" 2>"$work/error") || { sed -n '1,5p' "$work/error" >&2; stop "cannot read $1"; }
  if [[ $live == null ]]; then live=; fi
  live=$(printf '%s' "$live" | sorted)
  if [[ $live == "$4" ]]; then told done "$1"; return; fi
  if [[ $live != "$3" ]]; then stop "$1 has the policies ${live:-(none)}, not ${3:-(none)} as analysed"; fi
  if [[ $go == check ]]; then told ready "$1"; return; fi
  "$cli" write "$1" "$2=$4" >/dev/null || stop "the server refused to write $1"
  told assigned "$1: ${4:-(none)}"
}

# The way back: each step undoes one of the above.
unedit() {
  if [[ $go == plan ]]; then told restore "policy $1, from $(printf %q "$(original "$2")")"; return; fi
  state "$1" "$3" "$4"
  case $found in
    before) told done "policy $1 is as it was" ;;
    after)
      if [[ $go == check ]]; then told ready "policy $1 is as proposed"; return; fi
      write "$1" "$(original "$2")"; told restored "policy $1" ;;
    *) stop "policy $1 on the server is neither the one analysed nor the one proposed" ;;
  esac
}

unadd() {
  if [[ $go == plan ]]; then told delete "policy $1"; return; fi
  state "$1" - "$4"
  case $found in
    absent) told done "policy $1 is gone" ;;
    after)
      if [[ $go == check ]]; then told ready "policy $1 is as proposed"; return; fi
      "$cli" delete "sys/policies/acl/$1" >/dev/null || stop "the server refused to delete policy $1"
      told deleted "policy $1" ;;
    *) stop "policy $1 on the server is not the one that was proposed" ;;
  esac
}

undelete() {
  if [[ $go == plan ]]; then told restore "policy $1, from $(printf %q "$(original "$2")")"; return; fi
  state "$1" "$3" -
  case $found in
    before) told done "policy $1 is as it was" ;;
    absent)
      if [[ $go == check ]]; then told ready "policy $1 is gone"; return; fi
      write "$1" "$(original "$2")"; told restored "policy $1" ;;
    *) stop "a policy $1 is on the server again, and it is another one" ;;
  esac
}

# back PATH FIELD THEN NOW...: the list of a holder as it was, from any of the lists that this script sets.
back() {
  if [[ $go == plan ]]; then told assign "$1: $2 = ${3:-(none)}"; return; fi
  local live list
  live=$("$cli" read -format=json -field="$2" "$1" 2>"$work/error") || { sed -n '1,5p' "$work/error" >&2; stop "cannot read $1"; }
  if [[ $live == null ]]; then live=; fi
  live=$(printf '%s' "$live" | sorted)
  if [[ $live == "$3" ]]; then told done "$1"; return; fi
  for list in "${@:4}"; do
    if [[ $live == "$list" ]]; then
      if [[ $go == check ]]; then told ready "$1"; return; fi
      "$cli" write "$1" "$2=$3" >/dev/null || stop "the server refused to write $1"
      told assigned "$1: ${3:-(none)}"
      return
    fi
  done
  stop "$1 has the policies ${live:-(none)}, which this script never set"
}

byhand() { told 'by hand' "$1"; }

apply_steps() {
  :
@APPLY@}

finish_steps() {
  :
@FINISH@}

rollback_steps() {
  :
@ROLLBACK@}

case $part in
  apply) printf 'Steps:\n' ;;
  finish) printf 'Steps of the second half:\n' ;;
  rollback) printf 'Steps back:\n' ;;
esac
go=plan
if [[ $yes == no && $check == no ]]; then
  "${part}_steps"
  printf 'Nothing was asked of a server, nothing was written. --check compares with what is live, --yes does it.\n'
  exit 0
fi

find_cli
# A server that knows versions of policies shows one for its default policy.
versions=no
if [[ $("$cli" read -format=table -field=version sys/policies/acl/default 2>/dev/null) =~ ^[0-9]+$ ]]; then versions=yes; fi
go=check
"${part}_steps"
if [[ $yes == no ]]; then
  printf 'What is live is what was analysed. Nothing was written.\n'
  exit 0
fi
printf 'Checked. Writing:\n'
go=write
"${part}_steps"
printf 'Done.\n'
