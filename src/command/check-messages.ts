/** What a check finds, in qemu-img's lines on stderr. */
import type { Finding, FindingKind } from '../engine/operations/finding.ts';
import type { Context } from './context.ts';
import { EXTRA_DATA_HINT, overhangHint } from './messages.ts';

/** The numbers of a finding as text, by name. */
type Values = (name: string) => string;
type Texts = { readonly [Kind in FindingKind]: (value: Values) => string };

/** What the real program does not report. */
const SILENT = () => '';

/** Formats that have few findings bring the real program's line along. */
const MESSAGE = (value: Values) => value('message');

const OVERFLOW_HINT =
  'Use qemu-img amend to increase the refcount entry width or qemu-img convert to create a ' +
  'clean copy if the image cannot be opened for writing\n';

const counts = (value: Values) =>
  `cluster ${value('cluster')} refcount=${value('refcount')} reference=${value('references')}\n`;

const TEXTS: Texts = {
  leak: (value) => `Leaked ${counts(value)}`,
  'refcount-low': (value) => `ERROR ${counts(value)}`,
  'refcount-zero': (value) => `ERROR ${counts(value)}`,
  'refcount-unreadable': (value) =>
    `Can't get refcount for cluster ${value('cluster')}: Input/output error\n`,
  'reftable-reserved-bits': (value) =>
    `ERROR refcount table entry ${value('index')} has reserved bits set\n`,
  'refblock-unaligned': (value) =>
    `ERROR refcount block ${value('index')} is not cluster aligned; ` +
    'refcount table entry corrupted\n',
  'refblock-outside': (value) => `ERROR refcount block ${value('index')} is outside image\n`,
  'refblock-shared': (value) =>
    `ERROR refcount block ${value('index')} refcount=${value('refcount')}\n`,
  'reference-outside': (value) =>
    'ERROR: counting reference for region exceeding the end of the file by one cluster or more: ' +
    `offset 0x${value('offset')} size 0x${value('size')}\n`,
  'refcount-overflow': (value) =>
    `ERROR: overflow cluster offset=0x${value('offset')}\n${OVERFLOW_HINT}`,
  'l1-reserved-bits': (value) => `ERROR found L1 entry with reserved bits set: ${value('entry')}\n`,
  'l2-reserved-bits': (value) => `ERROR found l2 entry with reserved bits set: ${value('entry')}\n`,
  'l2-unaligned': (value) =>
    `ERROR l2_offset=${value('offset')}: Table is not cluster aligned; L1 entry corrupted\n`,
  'data-unaligned': (value) =>
    `ERROR offset=${value('offset')}: Data cluster is not properly aligned; ` +
    'L2 entry corrupted.\n',
  'zero-unaligned': (value) =>
    `ERROR offset=${value('offset')}: Preallocated cluster is not properly aligned; ` +
    'L2 entry corrupted.\n',
  'compressed-copied': (value) =>
    `ERROR: coffset=0x${value('offset')}: ` +
    'copied flag must never be set for compressed clusters\n',
  'copied-l1': (value) =>
    `ERROR OFLAG_COPIED L2 cluster: l1_index=${value('index')} ` +
    `l1_entry=${value('entry')} refcount=${value('refcount')}\n`,
  'copied-l2': (value) =>
    `ERROR OFLAG_COPIED data cluster: l2_entry=${value('entry')} refcount=${value('refcount')}\n`,
  'snapshot-l1-unaligned': (value) =>
    `ERROR snapshot ${value('id')} (${value('name')}) l1_offset=0x${value('offset')}: ` +
    'L1 table is not cluster aligned; snapshot table entry corrupted\n',
  'snapshot-l1-too-large': (value) =>
    `ERROR snapshot ${value('id')} (${value('name')}) l1_size=0x${value('size')}: ` +
    'L1 table is too large; snapshot table entry corrupted\n',
  'snapshot-incomplete': (value) => `ERROR snapshot table entry ${value('index')} is incomplete\n`,
  'snapshot-table-invalid': snapshotTable,
  'snapshots-with-data-file': (value) =>
    `ERROR ${value('count')} snapshots in image with data file\n`,
  'bitmap-invalid': SILENT,
  'compressed-data-file': (value) =>
    `ERROR compressed cluster ${value('index')} with data file, entry=0x${value('entry')}\n`,
  'compressed-subclusters': (value) =>
    `ERROR compressed cluster ${value('index')} with non-zero subcluster allocation bitmap, ` +
    `entry=0x${value('entry')}\n`,
  'subclusters-contradict': (value) =>
    `ERROR offset=${value('offset')}: Allocated cluster has corrupted ` +
    'subcluster allocation bitmap\n',
  'subclusters-unallocated': () =>
    'ERROR: Unallocated cluster has non-zero subcluster allocation map\n',
  'zero-in-v2': SILENT,
  'io-error': () => 'ERROR: I/O error in check_refcounts_l2\n',
  dirty: MESSAGE,
  'corrupt-bit': SILENT,
  truncated: SILENT,
  overlap: SILENT,
  'block-outside': MESSAGE,
  'block-duplicate': MESSAGE,
  'block-unaligned': MESSAGE,
  'block-state': MESSAGE,
  'allocation-count': MESSAGE,
  'header-copy': MESSAGE,
  'header-checksum': MESSAGE,
  'table-copy': MESSAGE,
  'size-contradiction': MESSAGE,
  'log-pending': MESSAGE,
  'tail-leak': MESSAGE,
  'parent-changed': MESSAGE,
  'extension-damaged': MESSAGE,
  'content-checksum': MESSAGE,
};

/** These come with the program's name, and with what could be done about them. */
function snapshotTable(value: Values): string {
  const overhang = Number(value('overhang'));
  switch (value('problem')) {
    case 'snapshot-table-too-large':
      return `qemu-img: ERROR snapshot table too large\n${overhangHint(overhang)}\n`;
    case 'snapshot-table-offset':
      return 'qemu-img: ERROR snapshot table offset invalid\n';
    default: {
      const hint = overhang > 0 ? overhangHint(overhang) : EXTRA_DATA_HINT;
      return `qemu-img: ERROR failed to read the snapshot table: ${value('message')}\n${hint}\n`;
    }
  }
}

/** Prints findings as they come. */
export class CheckMessages {
  readonly #context: Context;
  #announced = false;

  constructor(context: Context) {
    this.#context = context;
  }

  print({ kind, values }: Finding): void {
    const value = (name: string) => String(values[name] ?? '');
    if (kind === 'refcount-unreadable' && value('unaligned') === '1') this.#announce(value);
    const text = TEXTS[kind](value);
    if (text !== '') this.#context.host.stderr(text);
  }

  /** The real program notices that it cannot go on trusting the image, and says so once. */
  #announce(value: Values): void {
    if (this.#announced) return;
    this.#announced = true;
    this.#context.host.stderr(
      `qcow2: Image is corrupt: Refblock offset 0x${value('block')} unaligned ` +
        `(reftable index: ${hexNumber(value('index'))}); ` +
        'further non-fatal corruption events will be suppressed\n',
    );
  }
}

/** As C prints `%#x`: zero goes without a prefix. */
function hexNumber(decimal: string): string {
  const value = Number(decimal);
  return value === 0 ? '0' : `0x${value.toString(16)}`;
}
