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
# has versions of policies (OpenBao), the write says which version it replaces. What was live is kept in rollback/live, byte
# for byte, under its hash. When a wave began and when it was done is written to applied.jsonl. It stops at the first surprise.
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
plan=05199fe9a040494d
waves=2
first_half=1
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

# may NAMESPACE PATH CAPABILITY: a write that the server would refuse is known before the first one, where it can be asked.
may() {
  local has
  has=$(ask "$1" token capabilities "$2" 2>/dev/null) || return 0
  if [[ ! $has =~ ^[a-z]+(,\ [a-z]+)*$ ]]; then return 0; fi
  has=" ${has//,/ } "
  if [[ $has == *" root "* || $has == *" $3 "* ]]; then return 0; fi
  surprise "the token has no $3 on $(label "$1" "$2")"
}

# put NAMESPACE NAME: writes $work/text, replacing exactly the version that was looked at, where the server knows versions.
put() {
  local more=()
  if [[ $live == - ]]; then
    # -1: there must be none. A server without versions would take the field for nothing.
    if [[ $(ask "$1" read -format=table -field=version sys/policies/acl/default 2>/dev/null) =~ ^[0-9]+$ ]]; then more+=(cas=-1); fi
  elif [[ -n $version ]]; then
    more+=("cas=$version")
    if [[ $(ask "$1" read -format=table -field=cas_required "sys/policies/acl/$2" 2>/dev/null) == true ]]; then more+=(cas_required=true); fi
    if ask "$1" read -format=table -field=expiration "sys/policies/acl/$2" >/dev/null 2>&1; then stop "policy $(label "$1" "$2") has an expiration, which a write would lose"; fi
  fi
  ask "$1" write "sys/policies/acl/$2" "policy=@$work/text" ${more[@]+"${more[@]}"} >/dev/null || stop "the server refused to write policy $(label "$1" "$2")"
  look "$1" "$2"
  if [[ $live == - ]] || ! cmp -s "$work/live" "$work/text"; then stop "policy $(label "$1" "$2") is not what was written"; fi
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

# begin: before the first write of a wave.
begin() {
  if [[ $begun == "$wave" ]]; then return; fi
  begun=$wave
  if [[ $part == apply && $(event_of "$wave") != begun ]]; then record "$wave" begun; fi
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
  local name verb
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
    add) put "$1" "$2"; told added "$name" ;;
    edit) keep "$4" "${10}"; put "$1" "$2"; told edited "$name" ;;
    delete)
      keep "$4" "${10}"
      ask "$1" delete "sys/policies/acl/$2" >/dev/null || stop "the server refused to delete $name"
      told deleted "$name" ;;
  esac
}

# The way back of the same step.
policy_back() {
  local name kept
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
    elsewhere) surprise "$name on the server is neither one that was analysed nor one that was proposed"; return ;;
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
  if [[ $4 == - ]]; then
    ask "$1" delete "sys/policies/acl/$2" >/dev/null || stop "the server refused to delete $name"
    told deleted "$name"
  else
    put "$1" "$2"
    told restored "$name"
  fi
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

# put_list NAMESPACE PATH FIELD HOW LIST: writes a list. What a server replaces as a whole is read first and written as a whole.
put_list() {
  local list=$5 json
  if [[ $list == - ]]; then list=; fi
  if [[ $default == yes ]]; then list=${list:+$list,}default; fi
  json='[]'
  if [[ -n $list ]]; then json="[\"${list//,/\",\"}\"]"; fi
  if [[ $4 == whole ]]; then
    ask "$1" read -format=json -field=data "$2" >"$work/role" 2>"$work/error" || { sed -n '1,5p' "$work/error" >&2; stop "cannot read $(label "$1" "$2")"; }
    if [[ $(sed -n '1p' "$work/role") != '{' || $(sed -n '$p' "$work/role") != '}' ]]; then stop "$(label "$1" "$2") is not read as it has to be to be written again"; fi
    # Of two fields of one name the last one counts. What is not set is left so.
    { sed '$d; /^  "[^"]*": null,\{0,1\}$/d' "$work/role" | sed '$s/,$//'; printf ',"%s":%s}\n' "$3" "$json"; } >"$work/new"
    ask "$1" write "$2" - <"$work/new" >/dev/null || stop "the server refused to write $(label "$1" "$2")"
    ask "$1" read -format=json -field=data "$2" >"$work/now" 2>/dev/null || stop "cannot read $(label "$1" "$2")"
    if [[ $(rest "$3" "$work/role") != "$(rest "$3" "$work/now")" ]]; then stop "$(label "$1" "$2") has other fields than before the write"; fi
  elif [[ $list == @* ]]; then
    # The command would read a file of that name.
    printf '{"%s":%s}' "$3" "$json" | ask "$1" write "$2" - >/dev/null || stop "the server refused to write $(label "$1" "$2")"
  else
    ask "$1" write "$2" "$3=$list" >/dev/null || stop "the server refused to write $(label "$1" "$2")"
  fi
  look_list "$1" "$2" "$3"
  if [[ $live != "$5" ]]; then stop "$(label "$1" "$2") has not the policies that were written"; fi
}

# list NAMESPACE PATH FIELD HOW FREE BEFORE AFTER EARLIER LATER: the list of policies of a holder, from one to the next.
list() {
  local name
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
  put_list "$1" "$2" "$3" "$4" "$7"
  told assigned "$name: ${7/#-/(none)}"
}

# The way back of the same step.
list_back() {
  local name
  name=$(label "$1" "$2")
  if ! selected "$wave"; then return; fi
  if [[ $go == plan ]]; then told assign "$name: $3 = ${6/#-/(none)}"; return; fi
  look_list "$1" "$2" "$3"
  place "$6" "$7" "$8" "$9"
  case $found in
    before) told done "$name"; return ;;
    elsewhere) surprise "$name has the policies ${live/#-/(none)}, which this script never set"; return ;;
  esac
  if [[ $go == check ]]; then may "$1" "$2" update; told ready "$name"; return; fi
  if [[ $live != "$7" ]]; then stop "$name has the policies ${live/#-/(none)}, not ${7/#-/(none)}"; fi
  begin
  put_list "$1" "$2" "$3" "$4" "$6"
  told assigned "$name: ${6/#-/(none)}"
}

# What a person has to do, and what one should know.
byhand() { if selected "$wave"; then told 'by hand' "$1"; fi; }
note() { if [[ $go == plan && $part == apply ]] && selected "$wave"; then told note "$1"; fi; }

forward() {
  :
  wave 1 'new policies, and who gets them besides the old ones'
  # auth/approle/role/app-core-21: nothing changes here
  # auth/approle/role/app-ml-10: nothing changes here
  # auth/approle/role/app-ops-11: nothing changes here
  # identity/group/name/grp-core: nothing changes here
  # identity/group/name/grp-data: nothing changes here
  # identity/group/name/grp-ops: nothing changes here
  # identity/group/name/grp-web: nothing changes here
  note 'tokens that userpass person0 has now cannot be renewed once its policies change'
  list '' 'auth/userpass/users/person0' token_policies field bound 'readers' 'readers,self-service' '' 'self-service'
  note 'tokens that userpass person11 has now cannot be renewed once its policies change'
  list '' 'auth/userpass/users/person11' token_policies field bound 'readers' 'operators,readers,self-service' '' 'operators,self-service'
  note 'tokens that userpass person12 has now cannot be renewed once its policies change'
  list '' 'auth/userpass/users/person12' token_policies field bound '-' 'self-service' '' 'self-service'
  note 'tokens that userpass person14 has now cannot be renewed once its policies change'
  list '' 'auth/userpass/users/person14' token_policies field bound '-' 'self-service' '' 'self-service'
  note 'tokens that userpass person15 has now cannot be renewed once its policies change'
  list '' 'auth/userpass/users/person15' token_policies field bound 'readers' 'readers,self-service' '' 'self-service'
  note 'tokens that userpass person17 has now cannot be renewed once its policies change'
  list '' 'auth/userpass/users/person17' token_policies field bound '-' 'operators,self-service' '' 'operators,self-service'
  note 'tokens that userpass person18 has now cannot be renewed once its policies change'
  list '' 'auth/userpass/users/person18' token_policies field bound '-' 'self-service' '' 'self-service'
  note 'tokens that userpass person21 has now cannot be renewed once its policies change'
  list '' 'auth/userpass/users/person21' token_policies field bound '-' 'self-service' '' 'self-service'
  note 'tokens that userpass person23 has now cannot be renewed once its policies change'
  list '' 'auth/userpass/users/person23' token_policies field bound '-' 'operators' '' 'operators'
  note 'tokens that userpass person26 has now cannot be renewed once its policies change'
  list '' 'auth/userpass/users/person26' token_policies field bound '-' 'self-service' '' 'self-service'
  note 'tokens that userpass person27 has now cannot be renewed once its policies change'
  list '' 'auth/userpass/users/person27' token_policies field bound '-' 'self-service' '' 'self-service'
  note 'tokens that userpass person29 has now cannot be renewed once its policies change'
  list '' 'auth/userpass/users/person29' token_policies field bound '-' 'self-service' '' 'self-service'
  note 'tokens that userpass person5 has now cannot be renewed once its policies change'
  # auth/userpass/users/person5: nothing changes here
  note 'tokens that userpass person6 has now cannot be renewed once its policies change'
  list '' 'auth/userpass/users/person6' token_policies field bound 'readers' 'readers,self-service' '' 'self-service'
  note 'tokens that userpass person8 has now cannot be renewed once its policies change'
  list '' 'auth/userpass/users/person8' token_policies field bound 'readers' 'readers,self-service' '' 'self-service'
  note 'tokens that userpass person9 has now cannot be renewed once its policies change'
  list '' 'auth/userpass/users/person9' token_policies field bound '-' 'self-service' '' 'self-service'
  wave 2 'old policies, when no token needs them any more'
  list '' 'auth/approle/role/app-core-21' token_policies field bound 'readers,team-core,transit-core' 'team-core,transit-core' 'readers,team-core,transit-core' ''
  list '' 'auth/approle/role/app-ml-10' token_policies field bound 'readers,team-ml' 'team-ml' 'readers,team-ml' ''
  list '' 'auth/approle/role/app-ops-11' token_policies field bound 'readers,team-ops,transit-ops' 'team-ops,transit-ops' 'readers,team-ops,transit-ops' ''
  list '' 'identity/group/name/grp-core' policies field bound 'self-service,team-core' 'team-core' 'self-service,team-core' ''
  list '' 'identity/group/name/grp-data' policies field bound 'self-service,team-data' 'team-data' 'self-service,team-data' ''
  list '' 'identity/group/name/grp-ops' policies field bound 'operators,self-service,team-ops' 'team-ops' 'operators,self-service,team-ops' ''
  list '' 'identity/group/name/grp-web' policies field bound 'self-service,team-web' 'team-web' 'self-service,team-web' ''
  list '' 'auth/userpass/users/person0' token_policies field bound 'readers,self-service' 'self-service' 'readers' ''
  list '' 'auth/userpass/users/person11' token_policies field bound 'operators,readers,self-service' 'operators,self-service' 'readers' ''
  # auth/userpass/users/person12: nothing changes here
  # auth/userpass/users/person14: nothing changes here
  list '' 'auth/userpass/users/person15' token_policies field bound 'readers,self-service' 'self-service' 'readers' ''
  # auth/userpass/users/person17: nothing changes here
  # auth/userpass/users/person18: nothing changes here
  # auth/userpass/users/person21: nothing changes here
  # auth/userpass/users/person23: nothing changes here
  # auth/userpass/users/person26: nothing changes here
  # auth/userpass/users/person27: nothing changes here
  # auth/userpass/users/person29: nothing changes here
  list '' 'auth/userpass/users/person5' token_policies field bound 'readers' '-' 'readers' ''
  list '' 'auth/userpass/users/person6' token_policies field bound 'readers,self-service' 'self-service' 'readers' ''
  list '' 'auth/userpass/users/person8' token_policies field bound 'readers,self-service' 'self-service' 'readers' ''
  # auth/userpass/users/person9: nothing changes here
  policy '' 'ci' bound c18afc792ee174c6b815179151ff5998252ca5e46c420f0e3ff1f3859a12df82 'rollback/policies/ci.hcl' a4da71478746e7c5f01d1955578c10e2b6541b09effe26dfce3c8134a2270abb 'ci.hcl' '' '' 'ci.hcl'
  policy '' 'operators' bound b62b3b68fc21f5072aa502256210fa0f3a7e7a9f04d590755f94c8bdb1c6ff89 'rollback/policies/operators.hcl' 87186c9c3dc41be9d50b87cd698bc60d00d606603684d31de051627fea691b6a 'operators.hcl' '' '' 'operators.hcl'
  policy '' 'pki-core' bound 093b2b463f5c53cb102d2282f5b1d50e269b7fd21be8cb57cf7f3017923996ff 'rollback/policies/pki-core.hcl' df301915baca24292e3929fc198c31812d01e8a89bc7142cce755bcc616f5f2f 'pki-core.hcl' '' '' 'pki-core.hcl'
  policy '' 'pki-data' bound 0b4a4c2796283637777812faa1a18a8298022cbe48021d5fcd7aeb0d5c7f3b96 'rollback/policies/pki-data.hcl' a8d68559810105d95251b299bccb90165cdbab114f485bbd17af430d36f4c581 'pki-data.hcl' '' '' 'pki-data.hcl'
  policy '' 'pki-ml' bound 47918145eaf767fe47c0b9f3af4b3c712f68cd75d0ae5a73af6beef8a14553fb 'rollback/policies/pki-ml.hcl' 2a78ed81bbba824283fbf0a6f8746114796848efd3a2627c3ea449105825a63b 'pki-ml.hcl' '' '' 'pki-ml.hcl'
  policy '' 'pki-pay' bound d5b88c7cf57e3a1c4c15b1617c2744a57f1b15c3444af94cf28a1dfecbd7c32a 'rollback/policies/pki-pay.hcl' 0acf6a02ec8d91a39889fdab129f919489035ced076ef0ba48441624f05f5b31 'pki-pay.hcl' '' '' 'pki-pay.hcl'
  policy '' 'readers' bound 60a5b9cdc9f36720db85cba825d68635f41f70c06397ba518fe66ad65aeaa50a 'rollback/policies/readers.hcl' f40a070136638d707145456039d6ff202a864177684052b5a9ad42c9813916ae 'readers.hcl' '' '' 'readers.hcl'
  policy '' 'self-service' bound 74747fe043f53375b0bfef378bbc33fe7d87d845c2ed589f49cd16b4a9bbe5b5 'rollback/policies/self-service.hcl' 75ac1b1cb605f9f37c01a4f4466ba62e235f7840e51573f165c084b150f9aedc 'self-service.hcl' '' '' 'self-service.hcl'
  policy '' 'team-core' bound f58fe5b9a9f6ceca4fe0239d2c5bdb17a589407d6a4f0e8af7425d194d4c21dc 'rollback/policies/team-core.hcl' b5bd587a3718e9cf144afce778256794ac09821ce25c6764beae61f8c553756a 'team-core.hcl' '' '' 'team-core.hcl'
  policy '' 'team-data' bound 9924b7641ebc21ef58cbd6ab03fc3d0e7c909379554e1e2f8074ddeceb14394f 'rollback/policies/team-data.hcl' 29f6fed923be0a4b140630eca03b2e9ffbd1cb960ec5538b24309a6347ea9438 'team-data.hcl' '' '' 'team-data.hcl'
  policy '' 'team-ml' bound 309f3451d45cde2684f0c1b500e6fec5c543f1bb590db9822f3263ea3028c9f4 'rollback/policies/team-ml.hcl' 499dbf5c790c969f6555d676d4c8a2f7fcad03cccee589498f3ba30d3e831a7e 'team-ml.hcl' '' '' 'team-ml.hcl'
  policy '' 'team-ops' bound 6fd0300bd42f620820c6c8f22982f4c4dd666a1e47826fccb098ce97f5368a61 'rollback/policies/team-ops.hcl' 9d2d56aa10110e4c1538656790d4bd3847cc0788a0a72f23933039e605a86375 'team-ops.hcl' '' '' 'team-ops.hcl'
  policy '' 'team-pay' bound c564c632c3ae3e01db5081f97d61f5b242a8bc87c70437be3bda976956a16a10 'rollback/policies/team-pay.hcl' d9ca07fd72d4714d63cb9b7958c85595396eb9d860da4bfa6ac16b64b2995dc8 'team-pay.hcl' '' '' 'team-pay.hcl'
  policy '' 'team-web' bound 9047ebb3c43cdabb177dfd85887fb42457eb5b56d0f85746e7ae0d9890c6eb0f 'rollback/policies/team-web.hcl' 81f565526f1c9659d943d855b476294ec6a85a39057eee337a9a18be399a10c2 'team-web.hcl' '' '' 'team-web.hcl'
  policy '' 'transit-core' bound 84c20f1f4f1fdfa1b44b640404867f0d8dd1db2bad7c222d586a34e61cf59ed2 'rollback/policies/transit-core.hcl' 87bf62f09eb079d7712acc2875f3e90d7f64920719894660905ec62011c2f635 'transit-core.hcl' '' '' 'transit-core.hcl'
  policy '' 'transit-data' bound 5458c6ca12a66798a81be93cc301436f9e1015713f8fe186dee2a416c08905d6 'rollback/policies/transit-data.hcl' 649c11f4a813a743b32094a65cde5778cfe4611f4890ee94898ac591af8b17c3 'transit-data.hcl' '' '' 'transit-data.hcl'
  policy '' 'transit-ml' bound 4c2b41e16e76a239f285c4aa5394e2ba01bfebcfbb36acbea0b9eae6cc9e238b 'rollback/policies/transit-ml.hcl' e695007f58a80ea185ac4054e4b09a3763c9b9912af41724a8dcc7496db15a69 'transit-ml.hcl' '' '' 'transit-ml.hcl'
  policy '' 'transit-ops' bound 6ee4e3a55ecffa906b4385dd0cb99f7560bf7f29479fb56b7f277a9d064661d9 'rollback/policies/transit-ops.hcl' 4224c9314394c41053b3f581b4ad010fca7ce9c24a3a2bd66db30207b03e70c4 'transit-ops.hcl' '' '' 'transit-ops.hcl'
  policy '' 'transit-pay' bound 58266574502a7ca36c05e211866b3e9535cfe2552e1552bdb74ac9840a61ab2b 'rollback/policies/transit-pay.hcl' 86eaf30f53e67bc58cc6f7e74ac1075f3d0be7d9e4c857fa53f3ff176665f95d 'transit-pay.hcl' '' '' 'transit-pay.hcl'
  policy '' 'transit-web' bound 0e11731e6bb39b3a359c3bed3c53c8d2d29dca22fa27adbe0c1f726830e434dd 'rollback/policies/transit-web.hcl' f8ee6072668d34a33ee52406fd6a801e287ab3515a45d7f0acee3fc2860aa28e 'transit-web.hcl' '' '' 'transit-web.hcl'
  policy '' 'pki-ops' bound ba92004cb67095881ff03d2710cd8406c7be627463f781ec13f19642e8c31dee 'rollback/policies/pki-ops.hcl' - '-' '' '' 'pki-ops.hcl'
  policy '' 'pki-web' bound 3405692df70c8a64846a39dd065bb2dc73e548264dfb935943bff5c8e1bf41cf 'rollback/policies/pki-web.hcl' - '-' '' '' 'pki-web.hcl'
  policy '' 'unused-legacy' bound 81d4c9d952c14b5aae3ae36697c0ff84c9d6f7555691aed8475d024a0bf41b99 'rollback/policies/unused-legacy.hcl' - '-' '' '' 'unused-legacy.hcl'
}

backward() {
  :
  wave 2 'old policies, when no token needs them any more'
  policy '' 'unused-legacy' bound 81d4c9d952c14b5aae3ae36697c0ff84c9d6f7555691aed8475d024a0bf41b99 'rollback/policies/unused-legacy.hcl' - '-' '' '' 'unused-legacy.hcl'
  policy '' 'pki-web' bound 3405692df70c8a64846a39dd065bb2dc73e548264dfb935943bff5c8e1bf41cf 'rollback/policies/pki-web.hcl' - '-' '' '' 'pki-web.hcl'
  policy '' 'pki-ops' bound ba92004cb67095881ff03d2710cd8406c7be627463f781ec13f19642e8c31dee 'rollback/policies/pki-ops.hcl' - '-' '' '' 'pki-ops.hcl'
  policy '' 'transit-web' bound 0e11731e6bb39b3a359c3bed3c53c8d2d29dca22fa27adbe0c1f726830e434dd 'rollback/policies/transit-web.hcl' f8ee6072668d34a33ee52406fd6a801e287ab3515a45d7f0acee3fc2860aa28e 'transit-web.hcl' '' '' 'transit-web.hcl'
  policy '' 'transit-pay' bound 58266574502a7ca36c05e211866b3e9535cfe2552e1552bdb74ac9840a61ab2b 'rollback/policies/transit-pay.hcl' 86eaf30f53e67bc58cc6f7e74ac1075f3d0be7d9e4c857fa53f3ff176665f95d 'transit-pay.hcl' '' '' 'transit-pay.hcl'
  policy '' 'transit-ops' bound 6ee4e3a55ecffa906b4385dd0cb99f7560bf7f29479fb56b7f277a9d064661d9 'rollback/policies/transit-ops.hcl' 4224c9314394c41053b3f581b4ad010fca7ce9c24a3a2bd66db30207b03e70c4 'transit-ops.hcl' '' '' 'transit-ops.hcl'
  policy '' 'transit-ml' bound 4c2b41e16e76a239f285c4aa5394e2ba01bfebcfbb36acbea0b9eae6cc9e238b 'rollback/policies/transit-ml.hcl' e695007f58a80ea185ac4054e4b09a3763c9b9912af41724a8dcc7496db15a69 'transit-ml.hcl' '' '' 'transit-ml.hcl'
  policy '' 'transit-data' bound 5458c6ca12a66798a81be93cc301436f9e1015713f8fe186dee2a416c08905d6 'rollback/policies/transit-data.hcl' 649c11f4a813a743b32094a65cde5778cfe4611f4890ee94898ac591af8b17c3 'transit-data.hcl' '' '' 'transit-data.hcl'
  policy '' 'transit-core' bound 84c20f1f4f1fdfa1b44b640404867f0d8dd1db2bad7c222d586a34e61cf59ed2 'rollback/policies/transit-core.hcl' 87bf62f09eb079d7712acc2875f3e90d7f64920719894660905ec62011c2f635 'transit-core.hcl' '' '' 'transit-core.hcl'
  policy '' 'team-web' bound 9047ebb3c43cdabb177dfd85887fb42457eb5b56d0f85746e7ae0d9890c6eb0f 'rollback/policies/team-web.hcl' 81f565526f1c9659d943d855b476294ec6a85a39057eee337a9a18be399a10c2 'team-web.hcl' '' '' 'team-web.hcl'
  policy '' 'team-pay' bound c564c632c3ae3e01db5081f97d61f5b242a8bc87c70437be3bda976956a16a10 'rollback/policies/team-pay.hcl' d9ca07fd72d4714d63cb9b7958c85595396eb9d860da4bfa6ac16b64b2995dc8 'team-pay.hcl' '' '' 'team-pay.hcl'
  policy '' 'team-ops' bound 6fd0300bd42f620820c6c8f22982f4c4dd666a1e47826fccb098ce97f5368a61 'rollback/policies/team-ops.hcl' 9d2d56aa10110e4c1538656790d4bd3847cc0788a0a72f23933039e605a86375 'team-ops.hcl' '' '' 'team-ops.hcl'
  policy '' 'team-ml' bound 309f3451d45cde2684f0c1b500e6fec5c543f1bb590db9822f3263ea3028c9f4 'rollback/policies/team-ml.hcl' 499dbf5c790c969f6555d676d4c8a2f7fcad03cccee589498f3ba30d3e831a7e 'team-ml.hcl' '' '' 'team-ml.hcl'
  policy '' 'team-data' bound 9924b7641ebc21ef58cbd6ab03fc3d0e7c909379554e1e2f8074ddeceb14394f 'rollback/policies/team-data.hcl' 29f6fed923be0a4b140630eca03b2e9ffbd1cb960ec5538b24309a6347ea9438 'team-data.hcl' '' '' 'team-data.hcl'
  policy '' 'team-core' bound f58fe5b9a9f6ceca4fe0239d2c5bdb17a589407d6a4f0e8af7425d194d4c21dc 'rollback/policies/team-core.hcl' b5bd587a3718e9cf144afce778256794ac09821ce25c6764beae61f8c553756a 'team-core.hcl' '' '' 'team-core.hcl'
  policy '' 'self-service' bound 74747fe043f53375b0bfef378bbc33fe7d87d845c2ed589f49cd16b4a9bbe5b5 'rollback/policies/self-service.hcl' 75ac1b1cb605f9f37c01a4f4466ba62e235f7840e51573f165c084b150f9aedc 'self-service.hcl' '' '' 'self-service.hcl'
  policy '' 'readers' bound 60a5b9cdc9f36720db85cba825d68635f41f70c06397ba518fe66ad65aeaa50a 'rollback/policies/readers.hcl' f40a070136638d707145456039d6ff202a864177684052b5a9ad42c9813916ae 'readers.hcl' '' '' 'readers.hcl'
  policy '' 'pki-pay' bound d5b88c7cf57e3a1c4c15b1617c2744a57f1b15c3444af94cf28a1dfecbd7c32a 'rollback/policies/pki-pay.hcl' 0acf6a02ec8d91a39889fdab129f919489035ced076ef0ba48441624f05f5b31 'pki-pay.hcl' '' '' 'pki-pay.hcl'
  policy '' 'pki-ml' bound 47918145eaf767fe47c0b9f3af4b3c712f68cd75d0ae5a73af6beef8a14553fb 'rollback/policies/pki-ml.hcl' 2a78ed81bbba824283fbf0a6f8746114796848efd3a2627c3ea449105825a63b 'pki-ml.hcl' '' '' 'pki-ml.hcl'
  policy '' 'pki-data' bound 0b4a4c2796283637777812faa1a18a8298022cbe48021d5fcd7aeb0d5c7f3b96 'rollback/policies/pki-data.hcl' a8d68559810105d95251b299bccb90165cdbab114f485bbd17af430d36f4c581 'pki-data.hcl' '' '' 'pki-data.hcl'
  policy '' 'pki-core' bound 093b2b463f5c53cb102d2282f5b1d50e269b7fd21be8cb57cf7f3017923996ff 'rollback/policies/pki-core.hcl' df301915baca24292e3929fc198c31812d01e8a89bc7142cce755bcc616f5f2f 'pki-core.hcl' '' '' 'pki-core.hcl'
  policy '' 'operators' bound b62b3b68fc21f5072aa502256210fa0f3a7e7a9f04d590755f94c8bdb1c6ff89 'rollback/policies/operators.hcl' 87186c9c3dc41be9d50b87cd698bc60d00d606603684d31de051627fea691b6a 'operators.hcl' '' '' 'operators.hcl'
  policy '' 'ci' bound c18afc792ee174c6b815179151ff5998252ca5e46c420f0e3ff1f3859a12df82 'rollback/policies/ci.hcl' a4da71478746e7c5f01d1955578c10e2b6541b09effe26dfce3c8134a2270abb 'ci.hcl' '' '' 'ci.hcl'
  # auth/userpass/users/person9: nothing changes here
  list '' 'auth/userpass/users/person8' token_policies field bound 'readers,self-service' 'self-service' 'readers' ''
  list '' 'auth/userpass/users/person6' token_policies field bound 'readers,self-service' 'self-service' 'readers' ''
  list '' 'auth/userpass/users/person5' token_policies field bound 'readers' '-' 'readers' ''
  # auth/userpass/users/person29: nothing changes here
  # auth/userpass/users/person27: nothing changes here
  # auth/userpass/users/person26: nothing changes here
  # auth/userpass/users/person23: nothing changes here
  # auth/userpass/users/person21: nothing changes here
  # auth/userpass/users/person18: nothing changes here
  # auth/userpass/users/person17: nothing changes here
  list '' 'auth/userpass/users/person15' token_policies field bound 'readers,self-service' 'self-service' 'readers' ''
  # auth/userpass/users/person14: nothing changes here
  # auth/userpass/users/person12: nothing changes here
  list '' 'auth/userpass/users/person11' token_policies field bound 'operators,readers,self-service' 'operators,self-service' 'readers' ''
  list '' 'auth/userpass/users/person0' token_policies field bound 'readers,self-service' 'self-service' 'readers' ''
  list '' 'identity/group/name/grp-web' policies field bound 'self-service,team-web' 'team-web' 'self-service,team-web' ''
  list '' 'identity/group/name/grp-ops' policies field bound 'operators,self-service,team-ops' 'team-ops' 'operators,self-service,team-ops' ''
  list '' 'identity/group/name/grp-data' policies field bound 'self-service,team-data' 'team-data' 'self-service,team-data' ''
  list '' 'identity/group/name/grp-core' policies field bound 'self-service,team-core' 'team-core' 'self-service,team-core' ''
  list '' 'auth/approle/role/app-ops-11' token_policies field bound 'readers,team-ops,transit-ops' 'team-ops,transit-ops' 'readers,team-ops,transit-ops' ''
  list '' 'auth/approle/role/app-ml-10' token_policies field bound 'readers,team-ml' 'team-ml' 'readers,team-ml' ''
  list '' 'auth/approle/role/app-core-21' token_policies field bound 'readers,team-core,transit-core' 'team-core,transit-core' 'readers,team-core,transit-core' ''
  wave 1 'new policies, and who gets them besides the old ones'
  list '' 'auth/userpass/users/person9' token_policies field bound '-' 'self-service' '' 'self-service'
  note 'tokens that userpass person9 has now cannot be renewed once its policies change'
  list '' 'auth/userpass/users/person8' token_policies field bound 'readers' 'readers,self-service' '' 'self-service'
  note 'tokens that userpass person8 has now cannot be renewed once its policies change'
  list '' 'auth/userpass/users/person6' token_policies field bound 'readers' 'readers,self-service' '' 'self-service'
  note 'tokens that userpass person6 has now cannot be renewed once its policies change'
  # auth/userpass/users/person5: nothing changes here
  note 'tokens that userpass person5 has now cannot be renewed once its policies change'
  list '' 'auth/userpass/users/person29' token_policies field bound '-' 'self-service' '' 'self-service'
  note 'tokens that userpass person29 has now cannot be renewed once its policies change'
  list '' 'auth/userpass/users/person27' token_policies field bound '-' 'self-service' '' 'self-service'
  note 'tokens that userpass person27 has now cannot be renewed once its policies change'
  list '' 'auth/userpass/users/person26' token_policies field bound '-' 'self-service' '' 'self-service'
  note 'tokens that userpass person26 has now cannot be renewed once its policies change'
  list '' 'auth/userpass/users/person23' token_policies field bound '-' 'operators' '' 'operators'
  note 'tokens that userpass person23 has now cannot be renewed once its policies change'
  list '' 'auth/userpass/users/person21' token_policies field bound '-' 'self-service' '' 'self-service'
  note 'tokens that userpass person21 has now cannot be renewed once its policies change'
  list '' 'auth/userpass/users/person18' token_policies field bound '-' 'self-service' '' 'self-service'
  note 'tokens that userpass person18 has now cannot be renewed once its policies change'
  list '' 'auth/userpass/users/person17' token_policies field bound '-' 'operators,self-service' '' 'operators,self-service'
  note 'tokens that userpass person17 has now cannot be renewed once its policies change'
  list '' 'auth/userpass/users/person15' token_policies field bound 'readers' 'readers,self-service' '' 'self-service'
  note 'tokens that userpass person15 has now cannot be renewed once its policies change'
  list '' 'auth/userpass/users/person14' token_policies field bound '-' 'self-service' '' 'self-service'
  note 'tokens that userpass person14 has now cannot be renewed once its policies change'
  list '' 'auth/userpass/users/person12' token_policies field bound '-' 'self-service' '' 'self-service'
  note 'tokens that userpass person12 has now cannot be renewed once its policies change'
  list '' 'auth/userpass/users/person11' token_policies field bound 'readers' 'operators,readers,self-service' '' 'operators,self-service'
  note 'tokens that userpass person11 has now cannot be renewed once its policies change'
  list '' 'auth/userpass/users/person0' token_policies field bound 'readers' 'readers,self-service' '' 'self-service'
  note 'tokens that userpass person0 has now cannot be renewed once its policies change'
  # identity/group/name/grp-web: nothing changes here
  # identity/group/name/grp-ops: nothing changes here
  # identity/group/name/grp-data: nothing changes here
  # identity/group/name/grp-core: nothing changes here
  # auth/approle/role/app-ops-11: nothing changes here
  # auth/approle/role/app-ml-10: nothing changes here
  # auth/approle/role/app-core-21: nothing changes here
}

steps() {
  wave=0 begun=0 pending= surprises=0 worst=
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
  printf 'Nothing was asked of a server, nothing was written. --check compares with what is live, --yes does it.\n'
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
printf 'Done.\n'
