/**
 * What a repair does, in lines. Where the real program does the same, they are its lines; for what
 * goes beyond it, our own.
 */
import type { DriverRepair } from '../engine/formats/format.ts';
import type { Refusal, RepairAction, RepairKind, RepairPlan } from '../engine/operations/repair.ts';

/** The numbers of an action as text, by name. */
type Values = (name: string) => string;
type Texts = { readonly [Kind in RepairKind]: (value: Values, action: RepairAction) => string };

const counts = (value: Values) =>
  `cluster ${value('cluster')} refcount=${value('refcount')} reference=${value('references')}`;

/** What comes behind `Repairing`. */
const TEXTS: Texts = {
  'free-leak': counts,
  'free-doubtful-leak': counts,
  'free-lost-table': counts,
  'raise-refcount': counts,
  'replace-refcount-block': (value) => `refcount block ${value('index')}: made anew`,
  'replace-refcount-table': (_, action) => `refcount table: made anew at ${hex(action.to)}`,
  'copied-l1': (value) =>
    `OFLAG_COPIED L2 cluster: l1_index=${value('index')} ` +
    `l1_entry=${value('entry')} refcount=${value('refcount')}`,
  'copied-l2': (value) =>
    `OFLAG_COPIED data cluster: l2_entry=${value('entry')} refcount=${value('refcount')}`,
  'l1-reserved-bits': (_, action) => `L1 entry with reserved bits set: cleared${guest(action)}`,
  'l2-reserved-bits': (_, action) => `l2 entry with reserved bits set: cleared${guest(action)}`,
  'l1-outside': (_, action) =>
    `L1 entry to ${place(action)}, behind the end of the file: removed${guest(action)}`,
  'l1-unaligned': (_, action) =>
    `L1 entry to ${place(action)}, which is not cluster aligned: removed${guest(action)}`,
  'l1-aligned': (_, action) =>
    `L1 entry to ${place(action)}: the L2 table is at ${hex(action.to)}${guest(action)}`,
  'put-back-l2': (_, action) => `lost L2 table at ${place(action)}: put back${guest(action)}`,
  'put-back-l1': (_, action) => `lost L1 table at ${place(action)}: put back${guest(action)}`,
  'keep-lost-tables': (value) =>
    `${value('tables')} lost L2 tables: kept as snapshot '${value('name')}'`,
  'data-outside': (_, action) =>
    `entry to ${place(action)}, behind the end of the file: zeros${guest(action)}`,
  'data-unaligned': (_, action) =>
    `entry to ${place(action)}, which is not cluster aligned: zeros${guest(action)}`,
  'data-aligned': (_, action) =>
    `entry to ${place(action)}: the data is at ${hex(action.to)}${guest(action)}`,
  'zero-place': (_, action) => `zeros with a place at ${place(action)}: without it${guest(action)}`,
  'compressed-copied': (_, action) =>
    `copied flag of a compressed cluster: cleared${guest(action)}`,
  'compressed-bitmap': (_, action) =>
    `subcluster bitmap of a compressed cluster: cleared${guest(action)}`,
  'compressed-shortened': (_, action) =>
    `length of the compressed cluster at ${place(action)}: cut at the end of the file${guest(action)}`,
  'compressed-unreadable': (_, action) =>
    `compressed cluster at ${place(action)}, which cannot be unpacked: zeros${guest(action)}`,
  'subclusters-contradict': (_, action) =>
    `subclusters that are both data and zeros: data${guest(action)}`,
  'subclusters-unallocated': (_, action) =>
    `subclusters without a cluster: unallocated${guest(action)}`,
  'zero-in-v2': (_, action) => `zero flag in a version 2 image: cleared${guest(action)}`,
  'copy-data': (_, action) => `data at ${place(action)}, used twice: copied${guest(action)}`,
  'copy-l2': (_, action) => `L2 table at ${place(action)}, used twice: copied${guest(action)}`,
  'move-l1': (_, action) => `L1 table at ${place(action)}: moved${guest(action)}`,
  'move-compressed': (_, action) =>
    `compressed cluster at ${place(action)}, used twice: copied${guest(action)}`,
  'snapshot-incomplete': (_, action) => `snapshot table entry is incomplete${guest(action)}`,
  'snapshot-extra-cut': (_, action) => `extra data of a snapshot: cut${guest(action)}`,
  'snapshot-l1-emptied': (_, action) =>
    `L1 table at ${place(action)}, behind the end of the file: an empty one${guest(action)}`,
  'snapshot-l1-resized': (value, action) =>
    `length of an L1 table: ${value('to')} entries in place of ${value('from')}${guest(action)}`,
  'snapshot-dropped': (value, action) =>
    `${value('count')} snapshots that cannot be read: dropped${guest(action)}`,
  'snapshot-table-rewritten': () => 'snapshot table: written to a place of its own',
  'bitmap-entry-dirty': (value) =>
    `bitmap '${value('name')}', table entry ${value('index')}: all of it counts as changed`,
  'bitmap-dropped': (value) => `bitmap '${value('name')}', which cannot be read: dropped`,
  'bitmaps-extension-dropped': () => 'bitmaps, which cannot be read: dropped',
  'header-field': (value) => `header field ${value('field')}: ${value('to')}`,
  'header-rebuilt': (value) =>
    `header: made anew (version ${value('version')}, clusters of ${value('clusterSize')}, ` +
    `${value('snapshots')} snapshots); the size of the disk is not known: ${value('size')} ` +
    `is what its tables or partitions reach to; a backing file cannot be known: ` +
    `what is not allocated reads as zeros`,
  'clear-dirty': () => 'dirty bit: cleared',
  'clear-corrupt': () => 'corrupt bit: cleared',
  'clear-autoclear': () => 'autoclear bits that do not hold: cleared',
};

/** One line, without what comes before it. */
export function actionText(action: RepairAction): string {
  const value = (name: string) => String(action.values[name] ?? '');
  return TEXTS[action.kind](value, action);
}

const REASONS: { readonly [Reason in Refusal['reason']]: string } = {
  'encrypted-copy': 'copies of encrypted data would need the passphrase',
  'too-many-copies': 'there are too many copies to be made',
  overlap: 'tables share their place with something else; -r all moves them apart',
  'lost-table': 'the clusters look like a lost table, or belong to one; see --recover',
  'doubtful-leak': 'damaged pointers may have led to the clusters',
  'header-unknown': 'the header says what cannot be mended',
  'header-lost': 'there is no evidence of what the header said',
  'backing-name': 'the name of the backing file is lost',
  'external-data': 'it is about the external data file',
  'unreadable-medium': 'the medium cannot be read there',
  'still-damaged': 'the check still finds it',
};

/** Why something stays as it is. */
export function refusalText({ reason, count, values }: Refusal): string {
  const kinds = Object.entries(values).map(([kind, number]) => `${kind} ${String(number)}`);
  const what = reason === 'still-damaged' ? ` (${kinds.join(', ')})` : '';
  return `Not repaired: ${String(count)}, ${REASONS[reason]}${what}`;
}

const CLASS_WORDS = { safe: 'safe', guess: 'guess', 'loses-data': 'loses data' } as const;
const LOSES_WORDS = {
  nothing: '',
  unreadable: ', which cannot be read anyway',
  findable: ', which could be found again',
} as const;

/** The plan as lines for a person. */
export function planText(plan: RepairPlan): string {
  const lines: string[] = [];
  for (const action of plan.actions) {
    const mark = `${CLASS_WORDS[action.class]}${LOSES_WORDS[action.loses]}`;
    const chosen = action.chosen ? '' : '; not chosen';
    lines.push(`[${mark}${chosen}] ${actionText(action)}`);
  }
  for (const { kind, count, class: level, chosen } of plan.sums) {
    const state = chosen ? '' : ', not chosen';
    lines.push(`${String(count)} times ${kind} (${CLASS_WORDS[level]}${state})`);
  }
  for (const refusal of plan.refusals) lines.push(refusalText(refusal));
  for (const { snapshot, same, unreadable, recovered } of plan.layers) {
    const name = snapshot === '' ? 'The disk' : `Snapshot '${snapshot}'`;
    const lost = unreadable === 0 ? '' : `, ${String(unreadable)} could not be read before`;
    const found = recovered === 0 ? '' : `, ${String(recovered)} come back`;
    lines.push(`${name}: ${String(same)} bytes read the same before and after${lost}${found}`);
  }
  const grows = plan.grows > 0 ? `, the file grows by ${String(plan.grows)}` : '';
  lines.push(`${String(plan.written)} bytes would be written${grows}. Nothing has been changed.`);
  return `${lines.join('\n')}\n`;
}

function hex(offset: number | undefined): string {
  return `0x${(offset ?? 0).toString(16)}`;
}

function place({ host }: RepairAction): string {
  return hex(host?.offset);
}

/** Which guest bytes it is about. */
function guest({ guest: range, snapshot = '' }: RepairAction): string {
  const at = range === undefined ? '' : `guest offset ${hex(range.offset)}`;
  const of = snapshot === '' ? '' : `snapshot '${snapshot}'`;
  const text = [at, of].filter((part) => part !== '').join(', ');
  return text === '' ? '' : ` (${text})`;
}

/** What qemu-img says before it looks again. */
export function repairedText({ leaksFixed, corruptionsFixed }: DriverRepair): string {
  return (
    'The following inconsistencies were found and repaired:\n\n' +
    `    ${leaksFixed} leaked clusters\n    ${corruptionsFixed} corruptions\n\n` +
    'Double checking the fixed image now...\n'
  );
}
