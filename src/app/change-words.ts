import type { Edit, FileState, ImageId, MadeEdit, PendingChanges } from '../worker/api.ts';
import { images } from './images.svelte.ts';
import { bytes, exactBytes } from './units.ts';
import { words } from './words.svelte.ts';

/** A change in a sentence. */
export function editWords(edit: Edit, oldSize: number): string {
  const { edits } = words.image.changes;
  const { tag } = words;
  switch (edit.kind) {
    case 'repair':
      return edits.repair;
    case 'create-snapshot':
    case 'add-bitmap':
    case 'clear-bitmap':
    case 'remove-bitmap':
    case 'enable-bitmap':
    case 'disable-bitmap':
    case 'rename-backing':
      return edits[edit.kind](edit.name);
    case 'merge-bitmap':
      return edits['merge-bitmap'](edit.name, edit.from);
    case 'apply-snapshot':
    case 'delete-snapshot':
      return edits[edit.kind](edit.snapshot.name);
    case 'resize': {
      const say = edit.size < oldSize ? edits.shrink : edits.grow;
      return say(bytes(oldSize, tag), bytes(edit.size, tag));
    }
    case 'command':
      return edit.line;
    case 'patch':
      return edits.patch(edit.file.name);
    case 'rebase':
      return edit.to === undefined ? edits.standAlone : edits.rebase(edit.to.name);
    case 'amend':
      return edits.amend(optionList(edit.options));
    case 'commit':
      return edits.commit(nameOfOpen(edit.from));
    case 'empty':
    case 'add-passphrase':
      return edits[edit.kind];
    case 'remove-passphrase':
      return edits['remove-passphrase'](edit.slot);
  }
}

/** As `-o` takes them. */
export function optionList(options: Readonly<Record<string, string>>): string {
  return Object.entries(options)
    .map(([name, value]) => `${name}=${value}`)
    .join(',');
}

/** '' when it is not open any more. */
function nameOfOpen(id: ImageId): string {
  return images.list.find(({ opened }) => opened?.id === id)?.name ?? '';
}

/** What it did to the file: `frees 128 KiB inside the file · the size of the file stays`. */
export function effectWords({ taken, freed, fileSize, repaired }: MadeEdit): string {
  const { effects } = words.image.changes;
  const { tag } = words;
  const parts: string[] = [];
  const mended = repaired.reduce((sum, one) => sum + (one.chosen ? one.count : 0), 0);
  if (mended > 0) parts.push(effects.repaired(mended));
  if ((freed ?? 0) > 0) parts.push(effects.frees(bytes(freed ?? 0, tag)));
  if ((taken ?? 0) > 0) parts.push(effects.takes(bytes(taken ?? 0, tag)));
  const growth = fileSize.after - fileSize.before;
  if (growth > 0) parts.push(effects.grows(bytes(growth, tag)));
  else if (growth < 0) parts.push(effects.shrinks(bytes(-growth, tag)));
  else parts.push(effects.same);
  return parts.join(' · ');
}

/** What the check finds, in short. */
export function findingWords({ findings }: FileState): string {
  const { numbers } = words.image.changes;
  if (findings === undefined) return numbers.unknown;
  return numbers.findingsOf(findings.corruptions, findings.leaks);
}

/** The lines of the summary. */
export function summaryRows(pending: PendingChanges): { label: string; value: string }[] {
  const { numbers } = words.image.changes;
  const { tag } = words;
  const { before, after, bytes: changed, clusters, runs } = pending;
  const was = findingWords(before);
  const is = findingWords(after);
  const rounded = [bytes(before.size, tag), bytes(after.size, tag)] as const;
  // Two numbers that differ must not look the same.
  const isClose = before.size !== after.size && rounded[0] === rounded[1];
  const sizes = isClose
    ? ([exactBytes(before.size, tag), exactBytes(after.size, tag)] as const)
    : rounded;
  return [
    { label: numbers.written, value: numbers.writtenIn(bytes(changed, tag), clusters, runs) },
    {
      label: numbers.file,
      value: before.size === after.size ? numbers.same(sizes[1]) : numbers.fromTo(...sizes),
    },
    { label: numbers.findings, value: was === is ? is : numbers.fromTo(was, is) },
  ];
}
