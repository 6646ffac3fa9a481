#!/bin/sh
# `brew` as far as docs/install.md needs it: HOMEBREW_PREFIX is the prefix, HOMEBREW_FORMULA the program that installs.
set -eu
taps=$HOMEBREW_PREFIX/Library/Taps
case "$1 ${2-}" in
"tap "*)
  # owner/name is cloned into owner/homebrew-name.
  git clone --quiet "$3" "$taps/${2%/*}/homebrew-${2#*/}"
  ;;
"install "*/*/*)
  tap=${2%/*}
  exec ruby "$HOMEBREW_FORMULA" "$taps/${tap%/*}/homebrew-${tap#*/}/Formula/${2##*/}.rb" "$HOMEBREW_PREFIX"
  ;;
"services start")
  [ -e "$HOMEBREW_PREFIX/opt/$3" ]
  echo "$3" >"$HOMEBREW_PREFIX/started"
  ;;
*)
  echo "brew $*: not known here" >&2
  exit 2
  ;;
esac
