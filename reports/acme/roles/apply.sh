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
  if [[ $go == plan ]]; then told edit "policy $1, from $(printf %q "$2")"; return; fi
  state "$1" "$3" "$4"
  case $found in
    after) told done "policy $1 is as proposed" ;;
    before)
      if [[ $go == check ]]; then told ready "policy $1 is as analysed"; return; fi
      keep "$1" "$2"; write "$1" "$here/$2"; told edited "policy $1" ;;
    absent) stop "policy $1 is not on the server any more" ;;
    *) stop "policy $1 on the server is not the one that was analysed" ;;
  esac
}

# add NAME FILE - AFTER
add() {
  if [[ $go == plan ]]; then told add "policy $1, from $(printf %q "$2")"; return; fi
  state "$1" - "$4"
  case $found in
    after) told done "policy $1 is there" ;;
    absent)
      if [[ $go == check ]]; then told ready "policy $1 is not there yet"; return; fi
      write "$1" "$here/$2"; told added "policy $1" ;;
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
  # auth/approle/role/app-core-21: nothing changes in this half
  # auth/approle/role/app-ml-10: nothing changes in this half
  # auth/approle/role/app-ops-11: nothing changes in this half
  # identity/group/name/grp-core: nothing changes in this half
  # identity/group/name/grp-data: nothing changes in this half
  # identity/group/name/grp-ops: nothing changes in this half
  # identity/group/name/grp-web: nothing changes in this half
  assign 'auth/userpass/users/person0' token_policies 'readers' 'readers,self-service'
  assign 'auth/userpass/users/person11' token_policies 'readers' 'operators,readers,self-service'
  assign 'auth/userpass/users/person12' token_policies '' 'self-service'
  assign 'auth/userpass/users/person14' token_policies '' 'self-service'
  assign 'auth/userpass/users/person15' token_policies 'readers' 'readers,self-service'
  assign 'auth/userpass/users/person17' token_policies '' 'operators,self-service'
  assign 'auth/userpass/users/person18' token_policies '' 'self-service'
  assign 'auth/userpass/users/person21' token_policies '' 'self-service'
  assign 'auth/userpass/users/person23' token_policies '' 'operators'
  assign 'auth/userpass/users/person26' token_policies '' 'self-service'
  assign 'auth/userpass/users/person27' token_policies '' 'self-service'
  assign 'auth/userpass/users/person29' token_policies '' 'self-service'
  # auth/userpass/users/person5: nothing changes in this half
  assign 'auth/userpass/users/person6' token_policies 'readers' 'readers,self-service'
  assign 'auth/userpass/users/person8' token_policies 'readers' 'readers,self-service'
  assign 'auth/userpass/users/person9' token_policies '' 'self-service'
}

finish_steps() {
  :
  assign 'auth/approle/role/app-core-21' token_policies 'readers,team-core,transit-core' 'team-core,transit-core'
  assign 'auth/approle/role/app-ml-10' token_policies 'readers,team-ml' 'team-ml'
  assign 'auth/approle/role/app-ops-11' token_policies 'readers,team-ops,transit-ops' 'team-ops,transit-ops'
  assign 'identity/group/name/grp-core' policies 'self-service,team-core' 'team-core'
  assign 'identity/group/name/grp-data' policies 'self-service,team-data' 'team-data'
  assign 'identity/group/name/grp-ops' policies 'operators,self-service,team-ops' 'team-ops'
  assign 'identity/group/name/grp-web' policies 'self-service,team-web' 'team-web'
  assign 'auth/userpass/users/person0' token_policies 'readers,self-service' 'self-service'
  assign 'auth/userpass/users/person11' token_policies 'operators,readers,self-service' 'operators,self-service'
  # auth/userpass/users/person12: nothing changes in this half
  # auth/userpass/users/person14: nothing changes in this half
  assign 'auth/userpass/users/person15' token_policies 'readers,self-service' 'self-service'
  # auth/userpass/users/person17: nothing changes in this half
  # auth/userpass/users/person18: nothing changes in this half
  # auth/userpass/users/person21: nothing changes in this half
  # auth/userpass/users/person23: nothing changes in this half
  # auth/userpass/users/person26: nothing changes in this half
  # auth/userpass/users/person27: nothing changes in this half
  # auth/userpass/users/person29: nothing changes in this half
  assign 'auth/userpass/users/person5' token_policies 'readers' ''
  assign 'auth/userpass/users/person6' token_policies 'readers,self-service' 'self-service'
  assign 'auth/userpass/users/person8' token_policies 'readers,self-service' 'self-service'
  # auth/userpass/users/person9: nothing changes in this half
  edit 'ci' 'ci.hcl' c18afc792ee174c6b815179151ff5998252ca5e46c420f0e3ff1f3859a12df82 a4da71478746e7c5f01d1955578c10e2b6541b09effe26dfce3c8134a2270abb
  edit 'operators' 'operators.hcl' b62b3b68fc21f5072aa502256210fa0f3a7e7a9f04d590755f94c8bdb1c6ff89 87186c9c3dc41be9d50b87cd698bc60d00d606603684d31de051627fea691b6a
  edit 'pki-core' 'pki-core.hcl' 093b2b463f5c53cb102d2282f5b1d50e269b7fd21be8cb57cf7f3017923996ff df301915baca24292e3929fc198c31812d01e8a89bc7142cce755bcc616f5f2f
  edit 'pki-data' 'pki-data.hcl' 0b4a4c2796283637777812faa1a18a8298022cbe48021d5fcd7aeb0d5c7f3b96 a8d68559810105d95251b299bccb90165cdbab114f485bbd17af430d36f4c581
  edit 'pki-ml' 'pki-ml.hcl' 47918145eaf767fe47c0b9f3af4b3c712f68cd75d0ae5a73af6beef8a14553fb 2a78ed81bbba824283fbf0a6f8746114796848efd3a2627c3ea449105825a63b
  edit 'pki-pay' 'pki-pay.hcl' d5b88c7cf57e3a1c4c15b1617c2744a57f1b15c3444af94cf28a1dfecbd7c32a 0acf6a02ec8d91a39889fdab129f919489035ced076ef0ba48441624f05f5b31
  edit 'readers' 'readers.hcl' 60a5b9cdc9f36720db85cba825d68635f41f70c06397ba518fe66ad65aeaa50a f40a070136638d707145456039d6ff202a864177684052b5a9ad42c9813916ae
  edit 'self-service' 'self-service.hcl' 74747fe043f53375b0bfef378bbc33fe7d87d845c2ed589f49cd16b4a9bbe5b5 75ac1b1cb605f9f37c01a4f4466ba62e235f7840e51573f165c084b150f9aedc
  edit 'team-core' 'team-core.hcl' f58fe5b9a9f6ceca4fe0239d2c5bdb17a589407d6a4f0e8af7425d194d4c21dc b5bd587a3718e9cf144afce778256794ac09821ce25c6764beae61f8c553756a
  edit 'team-data' 'team-data.hcl' 9924b7641ebc21ef58cbd6ab03fc3d0e7c909379554e1e2f8074ddeceb14394f 29f6fed923be0a4b140630eca03b2e9ffbd1cb960ec5538b24309a6347ea9438
  edit 'team-ml' 'team-ml.hcl' 309f3451d45cde2684f0c1b500e6fec5c543f1bb590db9822f3263ea3028c9f4 499dbf5c790c969f6555d676d4c8a2f7fcad03cccee589498f3ba30d3e831a7e
  edit 'team-ops' 'team-ops.hcl' 6fd0300bd42f620820c6c8f22982f4c4dd666a1e47826fccb098ce97f5368a61 9d2d56aa10110e4c1538656790d4bd3847cc0788a0a72f23933039e605a86375
  edit 'team-pay' 'team-pay.hcl' c564c632c3ae3e01db5081f97d61f5b242a8bc87c70437be3bda976956a16a10 d9ca07fd72d4714d63cb9b7958c85595396eb9d860da4bfa6ac16b64b2995dc8
  edit 'team-web' 'team-web.hcl' 9047ebb3c43cdabb177dfd85887fb42457eb5b56d0f85746e7ae0d9890c6eb0f 81f565526f1c9659d943d855b476294ec6a85a39057eee337a9a18be399a10c2
  edit 'transit-core' 'transit-core.hcl' 84c20f1f4f1fdfa1b44b640404867f0d8dd1db2bad7c222d586a34e61cf59ed2 87bf62f09eb079d7712acc2875f3e90d7f64920719894660905ec62011c2f635
  edit 'transit-data' 'transit-data.hcl' 5458c6ca12a66798a81be93cc301436f9e1015713f8fe186dee2a416c08905d6 649c11f4a813a743b32094a65cde5778cfe4611f4890ee94898ac591af8b17c3
  edit 'transit-ml' 'transit-ml.hcl' 4c2b41e16e76a239f285c4aa5394e2ba01bfebcfbb36acbea0b9eae6cc9e238b e695007f58a80ea185ac4054e4b09a3763c9b9912af41724a8dcc7496db15a69
  edit 'transit-ops' 'transit-ops.hcl' 6ee4e3a55ecffa906b4385dd0cb99f7560bf7f29479fb56b7f277a9d064661d9 4224c9314394c41053b3f581b4ad010fca7ce9c24a3a2bd66db30207b03e70c4
  edit 'transit-pay' 'transit-pay.hcl' 58266574502a7ca36c05e211866b3e9535cfe2552e1552bdb74ac9840a61ab2b 86eaf30f53e67bc58cc6f7e74ac1075f3d0be7d9e4c857fa53f3ff176665f95d
  edit 'transit-web' 'transit-web.hcl' 0e11731e6bb39b3a359c3bed3c53c8d2d29dca22fa27adbe0c1f726830e434dd f8ee6072668d34a33ee52406fd6a801e287ab3515a45d7f0acee3fc2860aa28e
  delete 'pki-ops' 'pki-ops.hcl' ba92004cb67095881ff03d2710cd8406c7be627463f781ec13f19642e8c31dee -
  delete 'pki-web' 'pki-web.hcl' 3405692df70c8a64846a39dd065bb2dc73e548264dfb935943bff5c8e1bf41cf -
  delete 'unused-legacy' 'unused-legacy.hcl' 81d4c9d952c14b5aae3ae36697c0ff84c9d6f7555691aed8475d024a0bf41b99 -
}

rollback_steps() {
  :
  undelete 'unused-legacy' 'unused-legacy.hcl' 81d4c9d952c14b5aae3ae36697c0ff84c9d6f7555691aed8475d024a0bf41b99 -
  undelete 'pki-web' 'pki-web.hcl' 3405692df70c8a64846a39dd065bb2dc73e548264dfb935943bff5c8e1bf41cf -
  undelete 'pki-ops' 'pki-ops.hcl' ba92004cb67095881ff03d2710cd8406c7be627463f781ec13f19642e8c31dee -
  unedit 'transit-web' 'transit-web.hcl' 0e11731e6bb39b3a359c3bed3c53c8d2d29dca22fa27adbe0c1f726830e434dd f8ee6072668d34a33ee52406fd6a801e287ab3515a45d7f0acee3fc2860aa28e
  unedit 'transit-pay' 'transit-pay.hcl' 58266574502a7ca36c05e211866b3e9535cfe2552e1552bdb74ac9840a61ab2b 86eaf30f53e67bc58cc6f7e74ac1075f3d0be7d9e4c857fa53f3ff176665f95d
  unedit 'transit-ops' 'transit-ops.hcl' 6ee4e3a55ecffa906b4385dd0cb99f7560bf7f29479fb56b7f277a9d064661d9 4224c9314394c41053b3f581b4ad010fca7ce9c24a3a2bd66db30207b03e70c4
  unedit 'transit-ml' 'transit-ml.hcl' 4c2b41e16e76a239f285c4aa5394e2ba01bfebcfbb36acbea0b9eae6cc9e238b e695007f58a80ea185ac4054e4b09a3763c9b9912af41724a8dcc7496db15a69
  unedit 'transit-data' 'transit-data.hcl' 5458c6ca12a66798a81be93cc301436f9e1015713f8fe186dee2a416c08905d6 649c11f4a813a743b32094a65cde5778cfe4611f4890ee94898ac591af8b17c3
  unedit 'transit-core' 'transit-core.hcl' 84c20f1f4f1fdfa1b44b640404867f0d8dd1db2bad7c222d586a34e61cf59ed2 87bf62f09eb079d7712acc2875f3e90d7f64920719894660905ec62011c2f635
  unedit 'team-web' 'team-web.hcl' 9047ebb3c43cdabb177dfd85887fb42457eb5b56d0f85746e7ae0d9890c6eb0f 81f565526f1c9659d943d855b476294ec6a85a39057eee337a9a18be399a10c2
  unedit 'team-pay' 'team-pay.hcl' c564c632c3ae3e01db5081f97d61f5b242a8bc87c70437be3bda976956a16a10 d9ca07fd72d4714d63cb9b7958c85595396eb9d860da4bfa6ac16b64b2995dc8
  unedit 'team-ops' 'team-ops.hcl' 6fd0300bd42f620820c6c8f22982f4c4dd666a1e47826fccb098ce97f5368a61 9d2d56aa10110e4c1538656790d4bd3847cc0788a0a72f23933039e605a86375
  unedit 'team-ml' 'team-ml.hcl' 309f3451d45cde2684f0c1b500e6fec5c543f1bb590db9822f3263ea3028c9f4 499dbf5c790c969f6555d676d4c8a2f7fcad03cccee589498f3ba30d3e831a7e
  unedit 'team-data' 'team-data.hcl' 9924b7641ebc21ef58cbd6ab03fc3d0e7c909379554e1e2f8074ddeceb14394f 29f6fed923be0a4b140630eca03b2e9ffbd1cb960ec5538b24309a6347ea9438
  unedit 'team-core' 'team-core.hcl' f58fe5b9a9f6ceca4fe0239d2c5bdb17a589407d6a4f0e8af7425d194d4c21dc b5bd587a3718e9cf144afce778256794ac09821ce25c6764beae61f8c553756a
  unedit 'self-service' 'self-service.hcl' 74747fe043f53375b0bfef378bbc33fe7d87d845c2ed589f49cd16b4a9bbe5b5 75ac1b1cb605f9f37c01a4f4466ba62e235f7840e51573f165c084b150f9aedc
  unedit 'readers' 'readers.hcl' 60a5b9cdc9f36720db85cba825d68635f41f70c06397ba518fe66ad65aeaa50a f40a070136638d707145456039d6ff202a864177684052b5a9ad42c9813916ae
  unedit 'pki-pay' 'pki-pay.hcl' d5b88c7cf57e3a1c4c15b1617c2744a57f1b15c3444af94cf28a1dfecbd7c32a 0acf6a02ec8d91a39889fdab129f919489035ced076ef0ba48441624f05f5b31
  unedit 'pki-ml' 'pki-ml.hcl' 47918145eaf767fe47c0b9f3af4b3c712f68cd75d0ae5a73af6beef8a14553fb 2a78ed81bbba824283fbf0a6f8746114796848efd3a2627c3ea449105825a63b
  unedit 'pki-data' 'pki-data.hcl' 0b4a4c2796283637777812faa1a18a8298022cbe48021d5fcd7aeb0d5c7f3b96 a8d68559810105d95251b299bccb90165cdbab114f485bbd17af430d36f4c581
  unedit 'pki-core' 'pki-core.hcl' 093b2b463f5c53cb102d2282f5b1d50e269b7fd21be8cb57cf7f3017923996ff df301915baca24292e3929fc198c31812d01e8a89bc7142cce755bcc616f5f2f
  unedit 'operators' 'operators.hcl' b62b3b68fc21f5072aa502256210fa0f3a7e7a9f04d590755f94c8bdb1c6ff89 87186c9c3dc41be9d50b87cd698bc60d00d606603684d31de051627fea691b6a
  unedit 'ci' 'ci.hcl' c18afc792ee174c6b815179151ff5998252ca5e46c420f0e3ff1f3859a12df82 a4da71478746e7c5f01d1955578c10e2b6541b09effe26dfce3c8134a2270abb
  back 'auth/userpass/users/person9' token_policies '' 'self-service' 'self-service'
  back 'auth/userpass/users/person8' token_policies 'readers' 'readers,self-service' 'self-service'
  back 'auth/userpass/users/person6' token_policies 'readers' 'readers,self-service' 'self-service'
  back 'auth/userpass/users/person5' token_policies 'readers' 'readers' ''
  back 'auth/userpass/users/person29' token_policies '' 'self-service' 'self-service'
  back 'auth/userpass/users/person27' token_policies '' 'self-service' 'self-service'
  back 'auth/userpass/users/person26' token_policies '' 'self-service' 'self-service'
  back 'auth/userpass/users/person23' token_policies '' 'operators' 'operators'
  back 'auth/userpass/users/person21' token_policies '' 'self-service' 'self-service'
  back 'auth/userpass/users/person18' token_policies '' 'self-service' 'self-service'
  back 'auth/userpass/users/person17' token_policies '' 'operators,self-service' 'operators,self-service'
  back 'auth/userpass/users/person15' token_policies 'readers' 'readers,self-service' 'self-service'
  back 'auth/userpass/users/person14' token_policies '' 'self-service' 'self-service'
  back 'auth/userpass/users/person12' token_policies '' 'self-service' 'self-service'
  back 'auth/userpass/users/person11' token_policies 'readers' 'operators,readers,self-service' 'operators,self-service'
  back 'auth/userpass/users/person0' token_policies 'readers' 'readers,self-service' 'self-service'
  back 'identity/group/name/grp-web' policies 'self-service,team-web' 'self-service,team-web' 'team-web'
  back 'identity/group/name/grp-ops' policies 'operators,self-service,team-ops' 'operators,self-service,team-ops' 'team-ops'
  back 'identity/group/name/grp-data' policies 'self-service,team-data' 'self-service,team-data' 'team-data'
  back 'identity/group/name/grp-core' policies 'self-service,team-core' 'self-service,team-core' 'team-core'
  back 'auth/approle/role/app-ops-11' token_policies 'readers,team-ops,transit-ops' 'readers,team-ops,transit-ops' 'team-ops,transit-ops'
  back 'auth/approle/role/app-ml-10' token_policies 'readers,team-ml' 'readers,team-ml' 'team-ml'
  back 'auth/approle/role/app-core-21' token_policies 'readers,team-core,transit-core' 'readers,team-core,transit-core' 'team-core,transit-core'
}

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
