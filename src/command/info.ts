/** `qemu-img info`: what an image is. */
import { luksValues } from '../engine/index.ts';
import type { ImageInfo, Qcow2Info, SnapshotInfo } from '../engine/operations/inspect.ts';
import {
  COMMON,
  CommandFailure,
  outputFormat,
  readArguments,
  usageFailure,
  type Context,
} from './context.ts';
import { openByName } from './images.ts';
import { formatJson, formatText, type Value } from './json.ts';
import { resolveName } from './names.ts';
import { formatInteger, formatSize } from './sizes.ts';
import { snapshotTable } from './snapshot-table.ts';

const SPECS = [
  COMMON.help,
  COMMON.format,
  COMMON.output,
  { id: 'backing-chain', long: 'backing-chain' },
  COMMON.object,
  COMMON.imageOpts,
  COMMON.forceShare,
] as const;
type Id = Exclude<(typeof SPECS)[number]['id'], 'help'>;

/** An image of the chain, and the name that it was opened by. */
interface Described {
  name: string;
  /** Of its file: names in the image are seen from there. */
  path: string;
  info: ImageInfo;
}

/** How an image is to be opened. */
interface Named {
  name: string;
  format: string | undefined;
  imageOpts?: boolean;
}

export async function info(context: Context, argv: readonly string[]): Promise<number> {
  const given = readArguments<Id>(context, argv, SPECS);
  if (given.help) return 0;
  const [name] = given.operands;
  if (name === undefined || given.operands.length > 1) {
    throw usageFailure('Expecting one image file name');
  }
  const output = outputFormat(given.value('output'));
  const wholeChain = given.has('backing-chain');
  const first = { name, format: given.value('format'), imageOpts: given.has('image-opts') };
  const images = await describe(context, first, wholeChain);
  if (output === 'json') {
    const list = images.map(toJson);
    context.host.stdout(`${formatJson(wholeChain ? list : (list[0] ?? {}))}\n`);
  } else {
    context.host.stdout(images.map(toText).join('\n'));
  }
  return 0;
}

/** The image and, if asked, each image behind it; each is opened alone. */
async function describe(context: Context, first: Named, wholeChain: boolean): Promise<Described[]> {
  const images: Described[] = [];
  const seen = new Set<string>();
  let next: Named | undefined = first;
  while (next !== undefined) {
    if (seen.has(next.name)) {
      throw new CommandFailure(`Backing file '${next.name}' creates an infinite loop.`);
    }
    seen.add(next.name);
    const image = await openByName(context, { ...next, mode: 'info' });
    await image.close();
    const { name, path, info } = image;
    images.push({ name, path, info });
    const { backing } = info;
    next =
      wholeChain && backing !== undefined
        ? { name: resolveName(backing.name, path), format: backing.format }
        : undefined;
  }
  return images;
}

function toJson({ name, path, info }: Described): Value {
  const { backing, snapshots } = info;
  return {
    filename: name,
    format: info.format,
    'virtual-size': info.virtualSize,
    'actual-size': info.allocatedSize,
    'cluster-size': info.clusterSize,
    encrypted: info.encrypted ? true : undefined,
    'dirty-flag': isDirty(info),
    'backing-filename': backing?.name,
    'full-backing-filename': backing === undefined ? undefined : resolveName(backing.name, path),
    'backing-filename-format': backing?.format === '' ? undefined : backing?.format,
    snapshots: snapshots.length === 0 ? undefined : snapshots.map(snapshotToJson),
    'format-specific': specific(info),
  };
}

function snapshotToJson(snapshot: SnapshotInfo): Value {
  return {
    id: snapshot.id,
    name: snapshot.name,
    // The real program prints it with a sign.
    'vm-state-size':
      snapshot.vmStateSize < 2 ** 63 ? snapshot.vmStateSize : snapshot.vmStateSize - 2 ** 64,
    'date-sec': snapshot.dateSeconds,
    'date-nsec': snapshot.dateNanoseconds,
    'vm-clock-sec': Math.floor(snapshot.vmClockNanoseconds / 1e9),
    'vm-clock-nsec': snapshot.vmClockNanoseconds % 1e9,
    icount: snapshot.icount === undefined ? undefined : BigInt.asIntN(64, BigInt(snapshot.icount)),
  };
}

/** undefined: there is no telling. */
function isDirty({ qcow2, description }: ImageInfo): boolean | undefined {
  if (qcow2 !== undefined) return qcow2.dirty;
  return description === undefined ? false : description.dirty;
}

/** What only this format has. Version 2 knows less of itself. */
function specific({ qcow2, description }: ImageInfo): { type: string; data: Value } | undefined {
  if (qcow2 === undefined) return description?.specific;
  const version3 = {
    'lazy-refcounts': qcow2.lazyRefcounts,
    corrupt: qcow2.corrupt,
    'extended-l2': qcow2.extendedL2,
    bitmaps:
      qcow2.bitmaps.length === 0 ? undefined : qcow2.bitmaps.map((bitmap) => ({ ...bitmap })),
    'data-file': qcow2.dataFile === '' ? undefined : qcow2.dataFile,
    'data-file-raw': qcow2.dataFile === undefined ? undefined : qcow2.dataFileRaw,
  };
  const data = {
    compat: qcow2.compat,
    'compression-type': qcow2.compressionType,
    'refcount-bits': qcow2.refcountBits,
    ...(qcow2.version === 2 ? {} : version3),
    encrypt: encryption(qcow2),
  };
  return { type: 'qcow2', data };
}

function encryption({ encryption: format, luks }: Qcow2Info): Value | undefined {
  if (format === 'none') return undefined;
  if (luks === undefined) return { format };
  return { format, ...luksValues(luks) };
}

function toText({ name, path, info }: Described): string {
  const { backing, allocatedSize } = info;
  const lines = [
    `image: ${name}`,
    `file format: ${info.format}`,
    `virtual size: ${formatSize(info.virtualSize)} (${formatInteger(info.virtualSize)} bytes)`,
    `disk size: ${allocatedSize === undefined ? 'unavailable' : formatSize(allocatedSize)}`,
  ];
  if (info.encrypted) lines.push('encrypted: yes');
  if (info.clusterSize !== undefined) lines.push(`cluster_size: ${info.clusterSize}`);
  if (isDirty(info) === true) lines.push('cleanly shut down: no');
  if (backing !== undefined) {
    const actual = resolveName(backing.name, path);
    lines.push(
      `backing file: ${backing.name}${actual === backing.name ? '' : ` (actual path: ${actual})`}`,
    );
    if (backing.format !== '') lines.push(`backing file format: ${backing.format}`);
  }
  if (info.snapshots.length > 0) lines.push(...snapshotTable(info.snapshots));
  const data = specific(info)?.data;
  const details =
    data === undefined ? '' : `Format specific information:\n${formatText(data, '    ')}`;
  return `${lines.join('\n')}\n${details}`;
}
