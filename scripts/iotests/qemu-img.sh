#!/bin/sh
# Stands in for qemu-img in QEMU's own tests: what our program does goes to it, the rest to the real
# one. Each call leaves a line in $IOTESTS_LOG that says which of the two it was.

# What ours does not do: protocols, fault injection.
foreign() {
  for word in "$@"; do
    case "$word" in
      *nbd:* | *nbd+* | *ssh:* | *fuse:* | *blkdebug:* | *blkverify:* | *json:*driver*) return 0 ;;
      *driver=nbd* | *driver=blkdebug* | *driver=blkverify* | *null-co* | *throttle*) return 0 ;;
    esac
  done
  return 1
}

route() {
  if foreign "$@"; then
    echo real
    return
  fi
  case "$1" in
    amend | bench | bitmap | check | commit | compare | convert | create | dd) echo ours ;;
    info | map | measure | rebase | resize | snapshot) echo ours ;;
    *) echo real ;;
  esac
}

program=$(route "$@")
case " $IOTESTS_NOT_OURS " in *" $1 "*) program=real ;; esac
[ -n "$IOTESTS_LOG" ] && echo "$program $*" >>"$IOTESTS_LOG"
if [ "$program" = ours ] && [ "$IOTESTS_OURS" = yes ]; then
  exec "$IOTESTS_NODE" "$IOTESTS_CLI" "$@"
fi
exec "$IOTESTS_QEMU_IMG" "$@"
