#!/bin/sh
# A launchctl for tests. State lies in $STAND_IN: `calls` records each call, `loaded` holds domain/label,
# `no-gui` makes gui/ domains refuse, `no-user` the same for user/, `lingers` holds how many more prints an
# unloaded service still answers.
echo "$*" >> "$STAND_IN/calls"
loaded=$(cat "$STAND_IN/loaded" 2>/dev/null)

refuses() {
  case "$1" in
    gui/*) [ -e "$STAND_IN/no-gui" ] ;;
    user/*) [ -e "$STAND_IN/no-user" ] ;;
    *) true ;;
  esac
}

case "$1" in
  bootstrap)
    if refuses "$2"; then echo "Bootstrap failed: 125: Domain does not support specified action" >&2; exit 125; fi
    if [ -n "$loaded" ]; then echo "Bootstrap failed: 5: Input/output error" >&2; exit 5; fi
    echo "$2/$(basename "$3" .plist)" > "$STAND_IN/loaded"
    ;;
  bootout)
    if [ "$loaded" != "$2" ]; then echo "Boot-out failed: 3: No such process" >&2; exit 3; fi
    [ -e "$STAND_IN/lingers" ] || rm "$STAND_IN/loaded"
    ;;
  print)
    if [ -z "$loaded" ] || [ "$loaded" != "$2" ]; then
      echo "Could not find service \"$2\" in domain" >&2; exit 113
    fi
    cat "$STAND_IN/print" 2>/dev/null
    if [ -e "$STAND_IN/lingers" ] && grep -q "^bootout $2\$" "$STAND_IN/calls"; then
      left=$(cat "$STAND_IN/lingers")
      if [ "$left" -gt 0 ]; then echo $((left - 1)) > "$STAND_IN/lingers"; else rm "$STAND_IN/loaded"; fi
    fi
    ;;
  enable | kickstart) ;;
  *) echo "Unrecognized subcommand: $1" >&2; exit 64 ;;
esac
