#!/bin/sh
# Makes a branch of these changes: one commit a wave and owner. Pushes nothing.
# Run it in the folder where vault-advisor ran, or name that folder.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd -- "${1:-.}"
cd -- '.'
git switch --quiet --create 'vault-advisor/tighten-3ee9806a75'
commit() {
  git apply --index -- "$here/commits/$1.diff"
  git commit --quiet --cleanup=verbatim --file="$here/commits/$1.txt"
}
commit '01-wave-1'
commit '02-wave-2'
cat <<'END'
The branch is made. To ask for the changes:
  git push --set-upstream origin vault-advisor/tighten-3ee9806a75
then one of:
  gh pr create --title "$(cat title)" --body-file body.md
  glab mr create --title "$(cat title)" --description "$(cat body.md)"
  or open it by hand as: Vault policies: tighten 5, remove 3
with title and body.md from:
END
printf '%s\n' "$here"
