/** The script for `sh`: POSIX but for `head -c` and a program for SHA-256, which all systems have. */
import type { ScriptFacts, ScriptRun } from './patch-scripts.ts';

/** Everything after the facts. Blocks have 512 bytes; `dd` seeks where `tail` might read. */
const BODY = String.raw`
fail() { printf '%s\n' "$*" >&2; exit 1; }

usage() {
  printf 'usage: sh %s [--check | --undo] [image]\n' "$0" >&2
  exit 2
}

sha() {
  if command -v sha256sum >/dev/null 2>&1; then sha256sum
  elif command -v shasum >/dev/null 2>&1; then shasum -a 256
  elif command -v openssl >/dev/null 2>&1; then openssl dgst -sha256 -r
  else fail 'There is no program for SHA-256 here (sha256sum, shasum or openssl).'
  fi | cut -c 1-64
}

decode() {
  base64 -d 2>/dev/null <"$1" || base64 -D 2>/dev/null <"$1" || openssl base64 -d <"$1"
}

size() { ls -lnL "$1" | awk '{ print $5; exit }'; }

# take FILE BLOCK LENGTH: bytes of a file
take() {
  [ "$3" -eq 0 ] || dd if="$1" bs=512 skip="$2" count=$((($3 + 511) / 512)) 2>/dev/null | head -c "$3"
}

# put BLOCK: what comes in goes there
put() { dd of="$image" bs=512 seek="$1" conv=notrunc 2>/dev/null; }

# set_size BYTES
set_size() { dd if=/dev/null of="$image" bs=1 seek="$1" count=0 2>/dev/null; }

cut_length() { echo $((old_size - cut_block * 512)); }

old_bytes() {
  runs | while read -r block length old from; do take "$image" "$block" "$old"; done
  [ -z "$cut_block" ] || take "$image" "$cut_block" "$(cut_length)"
}

new_bytes() {
  runs | while read -r block length old from; do take "$image" "$block" "$length"; done
}

is_old() { [ "$(size "$image")" = "$old_size" ] && [ "$(old_bytes | sha)" = "$old_sha" ]; }
is_new() { [ "$(size "$image")" = "$new_size" ] && [ "$(new_bytes | sha)" = "$new_sha" ]; }
has_undo() { [ -f "$undo" ] && [ "$(sha <"$undo")" = "$old_sha" ]; }

write_new() {
  runs | while read -r block length old from; do
    if [ "$from" = - ]; then head -c "$length" /dev/zero
    else tail -c "+$((from + 1))" "$patch" | head -c "$length"
    fi | put "$block" || exit 1
  done && set_size "$new_size"
}

write_old() {
  { runs; [ -z "$cut_block" ] || echo "$cut_block 0 $(cut_length) -"; } | {
    at=1
    while read -r block length old from; do
      [ "$old" -eq 0 ] || tail -c "+$at" "$undo" | head -c "$old" | put "$block" || exit 1
      at=$((at + old))
    done
  } && set_size "$old_size"
}

mode=apply
case "${'$'}{1-}" in
  --check) mode=check; shift ;;
  --undo) mode=undo; shift ;;
  -*) usage ;;
esac
[ $# -le 1 ] || usage
image=${'$'}{1-$here/$image_name}
undo=$image.before-patch
marker=$image.patching
[ -f "$image" ] || fail "$image: no such file"

if [ "$mode" = check ]; then
  if [ -e "$marker" ]; then fail "$image: a run of this script was interrupted"
  elif is_old; then echo "$image: the change can be made"
  elif is_new; then echo "$image: the change has been made"
  else fail "$image: not the file that this change was made for, or changed since"
  fi
  exit 0
fi
[ -w "$image" ] || fail "$image: may not be written to"

if [ "$mode" = undo ]; then
  if [ ! -e "$marker" ]; then
    if is_old; then echo "$image: the change has not been made"; exit 0; fi
    is_new || fail "$image: changed since; nothing was written"
  fi
  has_undo || fail "$undo: not there or not as it was written; nothing was written"
  : >"$marker"
  sync
  write_old || fail "$image: could not be written; run this again with --undo"
  sync
  is_old || fail "$image: not as it was; $undo is kept"
  rm -f "$marker" "$undo"
  echo "$image: as it was before the change"
  exit 0
fi

if [ -z "$patch" ]; then
  patch=$(mktemp)
  trap 'rm -f "$patch" "$patch.64"' EXIT
  inline >"$patch.64"
  decode "$patch.64" >"$patch"
fi
[ -f "$patch" ] || fail "$patch: the patch has to lie beside this script"
[ "$(sha <"$patch")" = "$patch_sha" ] || fail "$patch: not as it was written; nothing was written"

if [ ! -e "$marker" ]; then
  if is_new; then echo "$image: the change has been made before"; exit 0; fi
  is_old || fail "$image: not the file that this change was made for, or changed since; nothing was written"
  old_bytes >"$undo" && has_undo || { rm -f "$undo"; fail "$undo: could not be written; the image was not changed"; }
  sync
  : >"$marker"
  sync
fi
has_undo || fail "$undo: not as it was written; nothing was written"
write_new || fail "$image: could not be written; run this again, or with --undo"
sync
is_new || fail "$image: not as it should be; run this again with --undo"
rm -f "$marker"
echo "$image: changed; --undo takes it back, with $undo"
`;

/** The script as a text. */
export function posixScript(facts: ScriptFacts): string {
  const { inline, oldSize, newSize, cutBlock, patchSha, oldSha, newSha } = facts;
  const head = [
    '#!/bin/sh',
    `# Changes a disk image in place: ${comment(facts.imageName)}, or the file that is named.`,
    '# Shut down whatever uses it first. The old bytes are kept beside the image: --undo puts them',
    '# back, --check only looks. Nothing is written to a file that is not the expected one.',
    'set -u',
    'LC_ALL=C',
    'export LC_ALL',
    'here=$(dirname -- "$0")',
    `image_name=${quoted(facts.imageName)}`,
    `patch=${inline === undefined ? `$here/${quoted(facts.patchName)}` : "''"}`,
    `patch_sha=${patchSha}`,
    `old_size=${oldSize}`,
    `new_size=${newSize}`,
    `cut_block=${cutBlock ?? "''"}`,
    `old_sha=${oldSha}`,
    `new_sha=${newSha}`,
    '',
    '# block, bytes, bytes before, place in the patch',
    "runs() { cat <<'END'",
    ...facts.runs.map(line),
    'END',
    '}',
    '',
    ...(inline === undefined ? [] : ["inline() { cat <<'END'", inline, 'END', '}']),
  ];
  return `${head.join('\n')}${BODY}`;
}

/** A run, in the words of both scripts. */
export function line({ block, length, oldLength, storedAt }: ScriptRun): string {
  return `${block} ${length} ${oldLength} ${storedAt ?? '-'}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** On one line, whatever a name is made of. */
export function comment(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?');
}
