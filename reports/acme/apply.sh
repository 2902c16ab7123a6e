#!/usr/bin/env bash
# Brings the proposed policies to a server, one careful step at a time.
#
#   apply.sh                      print what would be done; no server is asked (--dry-run says the same)
#   apply.sh --check              compare what is live with what was analysed; nothing is written
#   apply.sh --yes                check everything, then do it
#   apply.sh --wave N [--yes]     this wave alone; those before it have to be in force
#   apply.sh --until N [--yes]    every wave up to this one
#   apply.sh --finish [--yes]     the second half, where there is one: what may only go when no token needs it any more
#   apply.sh --rollback [--yes]   take everything back, in the opposite order
#   apply.sh --rollback N [--yes] take back wave N and what came after it
#
# It talks through the `bao` or `vault` command (VAULT_CLI names another) with the address and token that the command
# finds by itself (VAULT_ADDR, VAULT_TOKEN); it never reads or prints the token. All steps
# are in the namespace of VAULT_NAMESPACE, or in the root namespace.
#
# The steps are in an order in which a stop after any of them leaves nobody with more than before the first, nor with less
# than is proposed. Before each write the live policy is read and its hash compared with the one that was analysed (white
# space at its beginning and end does not count), and the file to be written with the one that was proposed. Where the server
# has versions of policies (OpenBao from 2.3 on), the write says which version it replaces, and the server refuses it if
# somebody else was quicker. Vault has none, and no server has any for what is deleted or for the lists of roles, entities and
# groups: there a last look comes right before the write, and what somebody else writes in the instant between the two is
# overwritten unseen. What was live is kept in rollback/live, byte for byte, under its hash. When a wave began and when it was
# done is written to applied.jsonl, each write to rollback/written. It stops at the first surprise.
#
# --rollback takes back what was written. What --yes did not come to, and somebody else has changed since, it names and leaves
# alone; what was written and changed since then by somebody else is a surprise.
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
plan=9ed661c033a0406e
waves=2
first_half=2
absolute=no
yes=no check=no dry=no part=apply first=1 last=$first_half

number() {
  if [[ ! ${2:-} =~ ^[0-9]{1,6}$ ]] || ((10#$2 < 1 || 10#$2 > waves)); then
    printf 'error: %s needs the number of a wave, 1 to %s\n' "$1" "$waves" >&2
    exit 2
  fi
}

while (($#)); do
  case $1 in
    --yes) yes=yes ;;
    --check) check=yes ;;
    --dry-run) dry=yes ;;
    --wave) number "$1" "${2:-}"; first=$((10#$2)) last=$first; shift ;;
    --until) number "$1" "${2:-}"; first=1 last=$((10#$2)); shift ;;
    --finish) first=$((first_half + 1)) last=$waves ;;
    --rollback)
      part=rollback first=1 last=$waves
      if [[ ${2:-} =~ ^[0-9]+$ ]]; then number "$1" "$2"; first=$((10#$2)); shift; fi ;;
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) printf 'error: unknown argument %q; --help names those there are\n' "$1" >&2; exit 2 ;;
  esac
  shift
done
if [[ $dry == yes && $yes == yes ]]; then
  printf 'error: --dry-run writes nothing and --yes writes: say one of them\n' >&2
  exit 2
fi

stop() {
  printf 'STOPPED: %s\n' "$*" >&2
  if [[ $go == write ]]; then printf 'Nothing after this step was done. What was done before it stays, until it is taken back with --rollback.\n' >&2
  else printf 'Nothing was written.\n' >&2
  fi
  exit 1
}

# While checking, every surprise is told before it stops; while writing, the first one stops it.
surprise() {
  if [[ $go != check ]]; then stop "$1"; fi
  printf '  %-9s %s\n' surprise "$1" >&2
  surprises=$((surprises + 1))
  if ((surprises == 1)); then worst=$1; fi
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

# ask NAMESPACE ARGUMENTS...: the command, in that namespace.
ask() (
  if [[ $absolute == yes ]]; then
    unset VAULT_NAMESPACE BAO_NAMESPACE
    if [[ -n $1 ]]; then export VAULT_NAMESPACE="$1" BAO_NAMESPACE="$1"; fi
  fi
  shift
  exec "$cli" "$@"
)

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

# one_of WORD LIST: whether it is among the words of the list.
one_of() {
  local word
  for word in $2; do
    if [[ $word == "$1" ]]; then return 0; fi
  done
  return 1
}

told() { printf '  %-9s %s\n' "$1" "$2"; }

# The name of a policy or path for people.
label() { if [[ -n $1 ]]; then printf '%s in namespace %s' "$2" "$1"; else printf '%s' "$2"; fi; }

# chosen FILE HASH: the file, if it holds what it has to hold, goes to $work/text.
chosen() {
  if [[ ! -f $1 ]]; then return 1; fi
  cp -- "$1" "$work/text" && [[ $(digest "$work/text") == "$2" ]]
}

# look NAMESPACE NAME: the hash of the live policy goes to $live, - where there is none; its text to $work/live. The version,
# where there is one, goes to $version. It is read before the text: a change between the two makes the write fail, not pass.
look() {
  version=$(ask "$1" read -format=table -field=version "sys/policies/acl/$2" 2>/dev/null) || version=
  [[ $version =~ ^[0-9]+$ ]] || version=
  if ask "$1" read -format=table -field=policy "sys/policies/acl/$2" >"$work/live" 2>"$work/error"; then
    live=$(digest "$work/live")
  elif grep -q 'No value found' "$work/error"; then
    live=-
  else
    sed -n '1,5p' "$work/error" >&2
    stop "cannot read policy $(label "$1" "$2")"
  fi
}

# again NAMESPACE NAME: the last look before a write that cannot say what it replaces.
again() {
  local was=$live
  look "$1" "$2"
  if [[ $live != "$was" ]]; then stop "policy $(label "$1" "$2") was changed by somebody else just now"; fi
}

# versioned NAMESPACE: whether the server has versions of policies.
versioned() {
  if [[ -z $has_versions ]]; then
    has_versions=no
    if [[ $(ask "$1" read -format=table -field=version sys/policies/acl/default 2>/dev/null) =~ ^[0-9]+$ ]]; then has_versions=yes
    else told note 'this server has no versions of policies: what somebody else writes in the instant between a look and the write is overwritten unseen'
    fi
  fi
  [[ $has_versions == yes ]]
}

# note_write SIGN STEP: + before a step is written, - when it was not written after all, or is taken back.
note_write() { printf '%s %s %s\n' "$plan" "$1" "$2" >>"$here/rollback/written"; }

# untouched STEP: whether it is known that this script did not write a step, or took it back.
untouched() {
  local file=$here/rollback/written
  [[ -f $file ]] && grep -q "^$plan " "$file" && [[ $(grep -Fx -e "$plan + $1" -e "$plan - $1" "$file" | tail -n 1) != "$plan + $1" ]]
}

# elsewhere STEP NAME WORDS: on the way back something is neither as it was nor as proposed.
elsewhere() {
  if untouched "$1"; then
    told left "$2 was not written by this script, and somebody else has changed it"
    left=' Not all is as it was: what is named as left above was changed by somebody else.'
  else surprise "$2 $3"
  fi
}

# may NAMESPACE PATH CAPABILITY: a write that the server would refuse is known before the first one, where it can be asked.
may() {
  local has
  has=$(ask "$1" token capabilities "$2" 2>/dev/null) || return 0
  if [[ ! $has =~ ^[a-z]+(,\ [a-z]+)*$ ]]; then return 0; fi
  has=" ${has//,/ } "
  if [[ $has == *" root "* || $has == *" $3 "* ]]; then return 0; fi
  surprise "the token has no $3 on $(label "$1" "$2")"
}

# put NAMESPACE NAME STEP: writes $work/text, replacing exactly what was looked at.
put() {
  local more=() data
  if [[ -n $version ]]; then
    lasting "$1" "$2"
    more+=("cas=$version")
    if [[ $data == *$'\n  "cas_required": true'* ]]; then more+=(cas_required=true); fi
  elif [[ $live == - ]] && versioned "$1"; then
    # -1: there must be none. A server without versions would take the field for nothing.
    more+=(cas=-1)
  else
    versioned "$1" || true
    again "$1" "$2"
  fi
  note_write + "$3"
  if ! ask "$1" write "sys/policies/acl/$2" "policy=@$work/text" ${more[@]+"${more[@]}"} >/dev/null; then
    look "$1" "$2"
    if [[ $live == - ]] || ! cmp -s "$work/live" "$work/text"; then note_write - "$3"; fi
    stop "the server refused to write policy $(label "$1" "$2")"
  fi
  look "$1" "$2"
  if [[ $live == - ]] || ! cmp -s "$work/live" "$work/text"; then stop "policy $(label "$1" "$2") is not what was written: somebody else wrote it right after"; fi
}

# take NAMESPACE NAME STEP: deletes a policy. No server can be told which version.
take() {
  local data
  if [[ -n $version ]]; then lasting "$1" "$2"; else versioned "$1" || true; fi
  again "$1" "$2"
  note_write + "$3"
  if ! ask "$1" delete "sys/policies/acl/$2" >/dev/null; then
    look "$1" "$2"
    if [[ $live != - ]]; then note_write - "$3"; fi
    stop "the server refused to delete policy $(label "$1" "$2")"
  fi
}

# lasting NAMESPACE NAME: what the server keeps of a policy besides its text goes to $data. Some of it no write can bring back.
lasting() {
  data=$(ask "$1" read -format=json -field=data "sys/policies/acl/$2" 2>/dev/null) || data=
  local field
  for field in expiration allow_wildcards_in_identity_templates allow_slashes_in_identity_templates; do
    if [[ $data == *$'\n  "'"$field"'": '* && $data != *$'\n  "'"$field"'": false'* ]]; then
      stop "policy $(label "$1" "$2") has the setting $field, which a write would lose"
    fi
  done
}

# keep HASH FILE: what is live is kept, byte for byte, under its hash.
keep() {
  local kept=$here/rollback/live/$1/$2
  mkdir -p "$(dirname "$kept")"
  cp "$work/live" "$kept.new" && mv "$kept.new" "$kept"
}

# A line of applied.jsonl: what happened to which wave of which plan, and when.
record() {
  printf '{"plan":"%s","wave":%s,"event":"%s","at":"%s"}\n' "$plan" "$1" "$2" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" >>"$here/applied.jsonl"
}

# The last event of a wave.
event_of() {
  if [[ -f $here/applied.jsonl ]]; then
    sed -n "s/^{\"plan\":\"$plan\",\"wave\":$1,\"event\":\"\([a-z ]*\)\".*/\1/p" "$here/applied.jsonl" | sed -n '$p'
  fi
}

# begin: before the first write of a wave, or the first that takes it back.
begin() {
  if [[ $begun == "$wave" ]]; then return; fi
  begun=$wave
  local was
  was=$(event_of "$wave")
  if [[ $part == apply ]]; then
    if [[ $was != begun ]]; then record "$wave" begun; fi
  elif [[ -n $was && $was != 'taking back' ]]; then
    record "$wave" 'taking back'
  fi
}

# wave NUMBER TITLE: what follows belongs to it.
wave() {
  close
  wave=$1
  if [[ $go != check ]] && ((waves > 1)) && selected "$wave"; then printf 'Wave %s: %s\n' "$1" "$2"; fi
}

# The end of a wave.
close() {
  if [[ $go != write || $wave == 0 ]] || ! selected "$wave"; then return; fi
  if [[ $part == apply ]]; then
    if [[ $(event_of "$wave") != applied ]]; then record "$wave" applied; fi
  elif [[ -n $(event_of "$wave") && $(event_of "$wave") != 'taken back' ]]; then
    record "$wave" 'taken back'
  fi
}

selected() { (($1 >= first && $1 <= last)); }

# place BEFORE AFTER EARLIER LATER: where $live is on the way of its thing: before the step, behind it, or elsewhere.
place() {
  if [[ $live == "$2" ]] || one_of "$live" "$4"; then found=behind
  elif [[ $live == "$1" ]] || one_of "$live" "$3"; then found=before
  else found=elsewhere
  fi
}

# in_order NAME FREE: a step that is done while one before it is not makes a state that nobody proved.
in_order() {
  if [[ $found == behind ]]; then
    if [[ $2 == bound && -n $pending ]]; then surprise "$1 is as proposed already, and $pending, which comes before it, is not"; fi
  elif [[ $found == before ]]; then
    if ((wave < first)); then surprise "wave $wave is not in force: $1 is as it was"; fi
    if [[ $2 == bound && -z $pending ]]; then pending=$1; fi
  fi
}

# policy NAMESPACE NAME FREE BEFORE FROM AFTER TO EARLIER LATER PLACE: one policy from one text to the next. BEFORE and AFTER are
# hashes, - where there is no policy; FROM and TO the files; EARLIER and LATER the hashes of the texts it has before and behind.
policy() {
  local name verb step="policy $1:$2 $4 $6"
  name="policy $(label "$1" "$2")"
  if [[ $part == rollback ]]; then policy_back "$@"; return; fi
  case $4:$6 in -:*) verb=add ;; *:-) verb=delete ;; *) verb=edit ;; esac
  if [[ $go == plan ]]; then
    if ! selected "$wave"; then return; fi
    if [[ $verb == delete ]]; then told delete "$name"; else told "$verb" "$name, from $(printf %q "$7")"; fi
    return
  fi
  if [[ $go == write ]] && ! selected "$wave"; then return; fi
  look "$1" "$2"
  place "$4" "$6" "$8" "$9"
  if [[ $go == check ]]; then
    in_order "$name" "$3"
    if ((wave > last)); then return; fi
    case $found in
      behind) if ((wave >= first)); then told done "$name"; fi ;;
      elsewhere)
        if [[ $live == - ]]; then surprise "$name is not on the server any more"
        elif [[ $verb == add ]]; then surprise "a $name is on the server already, and it is another one"
        else surprise "$name on the server is not the one that was analysed"
        fi ;;
      before)
        if [[ $verb == delete ]]; then may "$1" "sys/policies/acl/$2" delete
        else
          may "$1" "sys/policies/acl/$2" update
          if ! chosen "$here/$7" "$6"; then surprise "the file $(printf %q "$7") is not the one that was proposed"; fi
        fi
        told ready "$name" ;;
    esac
    return
  fi
  if [[ $found == behind ]]; then told done "$name"; return; fi
  if [[ $live != "$4" ]]; then stop "$name on the server is not the one that was analysed"; fi
  if [[ $verb != delete ]] && ! chosen "$here/$7" "$6"; then stop "the file $(printf %q "$7") is not the one that was proposed"; fi
  begin
  case $verb in
    add) put "$1" "$2" "$step"; told added "$name" ;;
    edit) keep "$4" "${10}"; put "$1" "$2" "$step"; told edited "$name" ;;
    delete) keep "$4" "${10}"; take "$1" "$2" "$step"; told deleted "$name" ;;
  esac
}

# The way back of the same step.
policy_back() {
  local name kept step="policy $1:$2 $4 $6"
  name="policy $(label "$1" "$2")"
  if ! selected "$wave"; then return; fi
  kept=$here/rollback/live/$4/${10}
  if [[ $go == plan ]]; then
    if [[ $4 == - ]]; then told delete "$name"
    elif [[ -e $kept ]]; then told restore "$name, from $(printf %q "${kept#"$here/"}")"
    else told restore "$name, from $(printf %q "$5")"
    fi
    return
  fi
  look "$1" "$2"
  place "$4" "$6" "$8" "$9"
  case $found in
    before) told done "$name is as it was"; return ;;
    elsewhere) elsewhere "$step" "$name" 'on the server is neither one that was analysed nor one that was proposed'; return ;;
  esac
  if [[ $4 != - ]] && ! chosen "$kept" "$4" && ! chosen "$here/$5" "$4"; then
    surprise "neither rollback/live nor $(printf %q "$5") holds the text that $name had"
    return
  fi
  if [[ $go == check ]]; then
    if [[ $4 == - ]]; then may "$1" "sys/policies/acl/$2" delete; else may "$1" "sys/policies/acl/$2" update; fi
    told ready "$name"
    return
  fi
  if [[ $live != "$6" ]]; then stop "$name on the server is not the one that was proposed"; fi
  begin
  if [[ $4 == - ]]; then take "$1" "$2" "$step"; told deleted "$name"
  else put "$1" "$2" "$step"; told restored "$name"
  fi
  note_write - "$step"
}

# A list of policies, sorted, - where it is empty. `default` comes with every token by itself: whether it is listed says nothing.
sorted() {
  local list
  list=$(tr -d '[]" \n\t' | tr ',' '\n' | sort -u | sed '/^$/d; /^null$/d; /^default$/d' | paste -s -d , -)
  printf '%s' "${list:--}"
}

# look_list NAMESPACE PATH FIELD: the live list of a holder goes to $live; whether it names `default` to $default.
look_list() {
  local raw
  raw=$(ask "$1" read -format=json -field="$3" "$2" 2>"$work/error") || { sed -n '1,5p' "$work/error" >&2; stop "cannot read $(label "$1" "$2")"; }
  default=no
  if [[ $raw == *'"default"'* ]]; then default=yes; fi
  live=$(printf '%s' "$raw" | sorted)
}

# The rest of a holder, without its list. What is not set is as good as empty.
rest() { sed "/^  \"$1\": \[\$/,/^  \]/d; /^  \"$1\": /d; s/,\$//; s/^\(  \"[^\"]*\": \)null\$/\1[]/" "$2"; }

# put_list NAMESPACE PATH FIELD HOW LIST STEP: writes a list. What a server replaces as a whole is read first and written as a
# whole. Lists have no versions: the last look comes right before the write.
put_list() {
  local list=$5 json was=$live
  if [[ $list == - ]]; then list=; fi
  if [[ $default == yes ]]; then list=${list:+$list,}default; fi
  json='[]'
  if [[ -n $list ]]; then json="[\"${list//,/\",\"}\"]"; fi
  if [[ $4 == whole ]]; then
    ask "$1" read -format=json -field=data "$2" >"$work/role" 2>"$work/error" || { sed -n '1,5p' "$work/error" >&2; stop "cannot read $(label "$1" "$2")"; }
    if [[ $(sed -n '1p' "$work/role") != '{' || $(sed -n '$p' "$work/role") != '}' ]]; then stop "$(label "$1" "$2") is not read as it has to be to be written again"; fi
    # Of two fields of one name the last one counts. What is not set is left so.
    { sed '$d; /^  "[^"]*": null,\{0,1\}$/d' "$work/role" | sed '$s/,$//'; printf ',"%s":%s}\n' "$3" "$json"; } >"$work/new"
    write_list "$1" "$2" "$3" "$6" - <"$work/new"
    ask "$1" read -format=json -field=data "$2" >"$work/now" 2>/dev/null || stop "cannot read $(label "$1" "$2")"
    if [[ $(rest "$3" "$work/role") != "$(rest "$3" "$work/now")" ]]; then stop "$(label "$1" "$2") has other fields than before the write"; fi
  elif [[ $list == @* ]]; then
    # The command would read a file of that name.
    printf '{"%s":%s}' "$3" "$json" >"$work/new"
    write_list "$1" "$2" "$3" "$6" - <"$work/new"
  else
    write_list "$1" "$2" "$3" "$6" "$3=$list"
  fi
  look_list "$1" "$2" "$3"
  if [[ $live != "$5" ]]; then stop "$(label "$1" "$2") has not the policies that were written"; fi
}

# write_list NAMESPACE PATH FIELD STEP ARGUMENT: the write itself, if the list still is $was.
write_list() {
  look_list "$1" "$2" "$3" </dev/null
  if [[ $live != "$was" ]]; then stop "$(label "$1" "$2") was changed by somebody else just now"; fi
  note_write + "$4"
  if ! ask "$1" write "$2" "$5" >/dev/null; then
    look_list "$1" "$2" "$3" </dev/null
    if [[ $live == "$was" ]]; then note_write - "$4"; fi
    stop "the server refused to write $(label "$1" "$2")"
  fi
}

# list NAMESPACE PATH FIELD HOW FREE BEFORE AFTER EARLIER LATER: the list of policies of a holder, from one to the next.
list() {
  local name step="list $1:$2 $6 $7"
  name=$(label "$1" "$2")
  if [[ $part == rollback ]]; then list_back "$@"; return; fi
  if [[ $go == plan ]]; then
    if selected "$wave"; then told assign "$name: $3 = ${7/#-/(none)}, now ${6/#-/(none)}"; fi
    return
  fi
  if [[ $go == write ]] && ! selected "$wave"; then return; fi
  look_list "$1" "$2" "$3"
  place "$6" "$7" "$8" "$9"
  if [[ $go == check ]]; then
    in_order "$name" "$5"
    if ((wave > last)); then return; fi
    case $found in
      behind) if ((wave >= first)); then told done "$name"; fi ;;
      elsewhere) surprise "$name has the policies ${live/#-/(none)}, not ${6/#-/(none)} as analysed" ;;
      before) may "$1" "$2" update; told ready "$name" ;;
    esac
    return
  fi
  if [[ $found == behind ]]; then told done "$name"; return; fi
  if [[ $live != "$6" ]]; then stop "$name has the policies ${live/#-/(none)}, not ${6/#-/(none)} as analysed"; fi
  begin
  put_list "$1" "$2" "$3" "$4" "$7" "$step"
  told assigned "$name: ${7/#-/(none)}"
}

# The way back of the same step.
list_back() {
  local name step="list $1:$2 $6 $7"
  name=$(label "$1" "$2")
  if ! selected "$wave"; then return; fi
  if [[ $go == plan ]]; then told assign "$name: $3 = ${6/#-/(none)}"; return; fi
  look_list "$1" "$2" "$3"
  place "$6" "$7" "$8" "$9"
  case $found in
    before) told done "$name"; return ;;
    elsewhere) elsewhere "$step" "$name" "has the policies ${live/#-/(none)}, which this script never set"; return ;;
  esac
  if [[ $go == check ]]; then may "$1" "$2" update; told ready "$name"; return; fi
  if [[ $live != "$7" ]]; then stop "$name has the policies ${live/#-/(none)}, not ${7/#-/(none)}"; fi
  begin
  put_list "$1" "$2" "$3" "$4" "$6" "$step"
  note_write - "$step"
  told assigned "$name: ${6/#-/(none)}"
}

# What a person has to do, and what one should know.
byhand() { if selected "$wave"; then told 'by hand' "$1"; fi; }
note() { if [[ $go == plan && $part == apply ]] && selected "$wave"; then told note "$1"; fi; }

forward() {
  :
  wave 1 'policies that nobody holds'
  policy '' 'pki-ops' free ba92004cb67095881ff03d2710cd8406c7be627463f781ec13f19642e8c31dee 'rollback/policies/pki-ops.hcl' - '-' '' '' 'pki-ops.hcl'
  policy '' 'pki-web' free 3405692df70c8a64846a39dd065bb2dc73e548264dfb935943bff5c8e1bf41cf 'rollback/policies/pki-web.hcl' - '-' '' '' 'pki-web.hcl'
  policy '' 'unused-legacy' free 81d4c9d952c14b5aae3ae36697c0ff84c9d6f7555691aed8475d024a0bf41b99 'rollback/policies/unused-legacy.hcl' - '-' '' '' 'unused-legacy.hcl'
  wave 2 'capabilities and stanzas that nobody used'
  policy '' 'operators' bound b62b3b68fc21f5072aa502256210fa0f3a7e7a9f04d590755f94c8bdb1c6ff89 'rollback/policies/operators.hcl' e05485f1db7a0e3ebf12cdf60be06aafb038c85616fa9c967ec3e82e360fede5 'policies/operators.hcl' '' '' 'operators.hcl'
  policy '' 'team-core' bound f58fe5b9a9f6ceca4fe0239d2c5bdb17a589407d6a4f0e8af7425d194d4c21dc 'rollback/policies/team-core.hcl' 4a91990732b85452f621d36513cb0568e5849f0829229597c8f3c6e3b4c77488 'policies/team-core.hcl' '' '' 'team-core.hcl'
  policy '' 'team-ml' bound 309f3451d45cde2684f0c1b500e6fec5c543f1bb590db9822f3263ea3028c9f4 'rollback/policies/team-ml.hcl' 357c16238637d32870e0f89785003863030ea07e8f2a4761bc81e6c3ad195708 'policies/team-ml.hcl' '' '' 'team-ml.hcl'
  policy '' 'team-ops' bound 6fd0300bd42f620820c6c8f22982f4c4dd666a1e47826fccb098ce97f5368a61 'rollback/policies/team-ops.hcl' 370f5642185b91932a5aec039ccfe437803da32b0fec3f1209ebebde0ea93548 'policies/team-ops.hcl' '' '' 'team-ops.hcl'
  policy '' 'team-web' bound 9047ebb3c43cdabb177dfd85887fb42457eb5b56d0f85746e7ae0d9890c6eb0f 'rollback/policies/team-web.hcl' 1aeb5f5215b81136c3f2cbdc02ed791336d06eb8765ab738b3de25bc02b9c89e 'policies/team-web.hcl' '' '' 'team-web.hcl'
}

backward() {
  :
  wave 2 'capabilities and stanzas that nobody used'
  policy '' 'team-web' bound 9047ebb3c43cdabb177dfd85887fb42457eb5b56d0f85746e7ae0d9890c6eb0f 'rollback/policies/team-web.hcl' 1aeb5f5215b81136c3f2cbdc02ed791336d06eb8765ab738b3de25bc02b9c89e 'policies/team-web.hcl' '' '' 'team-web.hcl'
  policy '' 'team-ops' bound 6fd0300bd42f620820c6c8f22982f4c4dd666a1e47826fccb098ce97f5368a61 'rollback/policies/team-ops.hcl' 370f5642185b91932a5aec039ccfe437803da32b0fec3f1209ebebde0ea93548 'policies/team-ops.hcl' '' '' 'team-ops.hcl'
  policy '' 'team-ml' bound 309f3451d45cde2684f0c1b500e6fec5c543f1bb590db9822f3263ea3028c9f4 'rollback/policies/team-ml.hcl' 357c16238637d32870e0f89785003863030ea07e8f2a4761bc81e6c3ad195708 'policies/team-ml.hcl' '' '' 'team-ml.hcl'
  policy '' 'team-core' bound f58fe5b9a9f6ceca4fe0239d2c5bdb17a589407d6a4f0e8af7425d194d4c21dc 'rollback/policies/team-core.hcl' 4a91990732b85452f621d36513cb0568e5849f0829229597c8f3c6e3b4c77488 'policies/team-core.hcl' '' '' 'team-core.hcl'
  policy '' 'operators' bound b62b3b68fc21f5072aa502256210fa0f3a7e7a9f04d590755f94c8bdb1c6ff89 'rollback/policies/operators.hcl' e05485f1db7a0e3ebf12cdf60be06aafb038c85616fa9c967ec3e82e360fede5 'policies/operators.hcl' '' '' 'operators.hcl'
  wave 1 'policies that nobody holds'
  policy '' 'unused-legacy' free 81d4c9d952c14b5aae3ae36697c0ff84c9d6f7555691aed8475d024a0bf41b99 'rollback/policies/unused-legacy.hcl' - '-' '' '' 'unused-legacy.hcl'
  policy '' 'pki-web' free 3405692df70c8a64846a39dd065bb2dc73e548264dfb935943bff5c8e1bf41cf 'rollback/policies/pki-web.hcl' - '-' '' '' 'pki-web.hcl'
  policy '' 'pki-ops' free ba92004cb67095881ff03d2710cd8406c7be627463f781ec13f19642e8c31dee 'rollback/policies/pki-ops.hcl' - '-' '' '' 'pki-ops.hcl'
}

steps() {
  wave=0 begun=0 pending= surprises=0 worst= has_versions= left=
  if [[ $part == rollback ]]; then backward; else forward; fi
  close
}

case $part in
  apply) printf 'Steps:\n' ;;
  rollback) printf 'Steps back:\n' ;;
esac
go=plan
if [[ $yes == no && $check == no ]]; then
  steps
  if ((first > last)); then printf 'There is no second half.\n'; fi
  printf 'No server was contacted, nothing was written. --check compares with what is live, --yes does it.\n'
  exit 0
fi

find_cli
go=check
steps
if ((surprises > 1)); then stop "$worst (and $((surprises - 1)) more)"; elif ((surprises)); then stop "$worst"; fi
if [[ $yes == no || $dry == yes ]]; then
  printf 'What is live is what was analysed. Nothing was written.\n'
  exit 0
fi
printf 'Checked. Writing:\n'
go=write
steps
printf 'Done.%s\n' "$left"
