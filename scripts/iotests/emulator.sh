#!/bin/sh
# The emulator for QEMU's own tests. Distributions build it without the accelerator that the tests
# ask for; they need it to run no guest, so any does.
if [ -z "$IOTESTS_QEMU" ]; then
  [ "$2" = help ] && echo "none (default)"
  exit 1
fi
count=$#
while [ "$count" -gt 0 ]; do
  word=$1
  shift
  count=$((count - 1))
  [ "$word" = qtest ] && word=tcg
  set -- "$@" "$word"
done
exec "$IOTESTS_QEMU" "$@"
