/** A chain in plain data: what each file of it is, and what is suspicious about it. */
import {
  type Disk,
  type GateRequest,
  isEncrypted,
  isLayered,
  looksLikeDisk,
  Qcow2Image,
  readDisk,
} from '../engine/index.ts';
import type { ChainDoubt, ChainFile, WireError } from './api.ts';
import { contentFormat } from './content-format.ts';
import { type Asked, keyOf } from './given-files.ts';
import { baseName, parseReference, pathReference } from './reference.ts';
import { hasSameHead } from './same-file.ts';

/** What an image was opened from. */
export interface ChainSource {
  file: File;
  disk: Disk;
  asked: readonly Asked[];
  /** Why its content cannot be read at all; its tables or its header still can. */
  problem: WireError | undefined;
}

/** A file is copied or written together with the next in less than this, milliseconds. */
const TOGETHER = 60_000;
/** Bytes in which a disk shows what it is. */
const BEGINNING = 68 * 1024;

/** All files from the image down: extents and a data file behind the image that names them. */
export async function describeChain(source: ChainSource): Promise<ChainFile[]> {
  const chain: ChainFile[] = [];
  const files: File[] = [source.file];
  let link: Link | undefined = { disk: source.disk, file: source.file, asked: undefined };
  let above: Link | undefined;
  for (let depth = 0; link !== undefined; depth++) {
    chain.push(await describeLink(link, above, depth, source, files));
    const disk: Disk | undefined = link.disk;
    for (const extent of extentsOf(disk, source.asked)) {
      chain.push(await describePart(extent, depth, files));
    }
    const dataFile = dataFileOf(disk, source.asked);
    if (dataFile !== undefined) chain.push(await describeDataFile(link, dataFile, depth, files));
    above = link;
    const backing = backingOf(disk, source.asked);
    link = backing && { disk: disk?.backing, file: backing.file, asked: backing };
  }
  return chain;
}

/** A disk of the chain; without `disk`, only what the image above says of it. */
interface Link {
  disk: Disk | undefined;
  file: File | undefined;
  asked: Asked | undefined;
}

/** The requests for the parts that an image is made of. */
function extentsOf(disk: Disk | undefined, asked: readonly Asked[]): Asked[] {
  const from = disk?.storage.name;
  return asked.filter(({ request }) => request.kind === 'extent' && request.from === from);
}

function dataFileOf(disk: Disk | undefined, asked: readonly Asked[]): Asked | undefined {
  if (!(disk instanceof Qcow2Image) || !disk.header.hasDataFile) return undefined;
  const from = disk.storage.name;
  return known({ kind: 'data-file', name: disk.header.dataFileName, format: 'raw', from }, asked);
}

function backingOf(disk: Disk | undefined, asked: readonly Asked[]): Asked | undefined {
  if (disk === undefined || !isLayered(disk) || disk.backingName === '') return undefined;
  const { backingName: name, backingFormat: format, backingNames: otherNames = [] } = disk;
  const from = disk.storage.name;
  return known({ kind: 'backing', name, format, from, otherNames }, asked);
}

/** The request for what an image names; made up where the engine did not come to ask. */
function known(request: GateRequest, asked: readonly Asked[]): Asked {
  const key = keyOf(request);
  const found = asked.find((one) => one.key === key);
  return found ?? { key, request, file: undefined, refusal: undefined, storage: undefined };
}

async function describeLink(
  link: Link,
  above: Link | undefined,
  depth: number,
  source: ChainSource,
  files: File[],
): Promise<ChainFile> {
  const { disk, file, asked } = link;
  const isTop = asked === undefined;
  const name = isTop ? source.file.name : asked.request.name;
  const refusal = isTop ? source.problem && wrong(source.problem) : asked.refusal;
  const described: ChainFile = {
    ...common(asked, file),
    kind: isTop ? 'image' : 'backing',
    depth,
    name,
    reference: isTop ? pathReference(name) : parseReference(name),
    state: refusal?.state ?? stateOf(disk),
    format: disk?.format,
    virtualSize: disk?.size,
    ...encryptionOf(disk),
    looksRight: await looksRight(disk),
    problem: refusal?.problem,
    doubts: [],
  };
  if (!isTop && file !== undefined) {
    described.doubts = await doubtsOf(described, file, files);
    if (disk !== undefined && above !== undefined) described.doubts.push(...comparing(link, above));
    files.push(file);
  }
  return described;
}

async function describeDataFile(
  owner: Link,
  asked: Asked,
  depth: number,
  files: File[],
): Promise<ChainFile> {
  const { file } = asked;
  const link = await describePart(asked, depth, files);
  const size = owner.disk?.size ?? 0;
  if (file !== undefined && file.size < size) {
    link.doubts.push({ kind: 'data-file-short', size: file.size, disk: size });
  }
  return link;
}

/** A file that holds content of an image and is none itself: its data file, or an extent. */
async function describePart(asked: Asked, depth: number, files: File[]): Promise<ChainFile> {
  const { file, request, refusal, storage } = asked;
  const isDataFile = request.kind === 'data-file';
  const link: ChainFile = {
    ...common(asked, file),
    kind: isDataFile ? 'data-file' : 'extent',
    depth,
    name: request.name,
    reference: pathReference(request.name),
    state: refusal?.state ?? (storage === undefined ? 'missing' : 'open'),
    format: isDataFile && storage !== undefined ? 'raw' : undefined,
    virtualSize: undefined,
    ...encryptionOf(undefined),
    looksRight: undefined,
    problem: refusal?.problem,
    doubts: [],
  };
  if (file === undefined) return link;
  link.doubts = await doubtsOf(link, file, files);
  files.push(file);
  return link;
}

function common(asked: Asked | undefined, file: File | undefined) {
  return {
    key: asked?.key ?? '',
    otherNames: (asked?.request.otherNames ?? []).map(baseName),
    recordedFormat: asked?.request.format ?? '',
    file: file && { name: file.name, size: file.size, modified: file.lastModified },
  };
}

function encryptionOf(
  disk: Disk | undefined,
): Pick<ChainFile, 'encryption' | 'luks' | 'unlockSeconds'> {
  if (disk === undefined || !isEncrypted(disk)) {
    return { encryption: 'none', luks: undefined, unlockSeconds: 0 };
  }
  const { encryption, unlockSeconds } = disk;
  return { encryption, luks: disk.luksInfo, unlockSeconds };
}

/** Whether what a passphrase made of the beginning of a disk makes sense. */
async function looksRight(disk: Disk | undefined): Promise<boolean | undefined> {
  if (disk === undefined || !isEncrypted(disk) || disk.encryption !== 'aes') return undefined;
  if (disk.cipher === undefined) return undefined;
  const first = await readDisk(disk, 0, Math.min(BEGINNING, disk.size)).catch(() => undefined);
  const isEmpty = first?.every((byte) => byte === 0) ?? true;
  return first === undefined || isEmpty ? undefined : looksLikeDisk(first, disk.size);
}

function wrong(problem: WireError): { state: 'wrong'; problem: WireError } {
  return { state: 'wrong', problem };
}

function stateOf(disk: Disk | undefined): ChainFile['state'] {
  if (disk === undefined) return 'missing';
  return disk.contentMissing === 'locked' ? 'locked' : 'open';
}

/** What is suspicious about a file by itself, and beside the others of the chain. */
async function doubtsOf(
  link: ChainFile,
  file: File,
  files: readonly File[],
): Promise<ChainDoubt[]> {
  const doubts: ChainDoubt[] = [];
  const expected = link.reference.fileName;
  if (expected !== '' && ![expected, ...link.otherNames].includes(baseName(file.name))) {
    doubts.push({ kind: 'other-name', expected });
  }
  // Parts of an image are often as long as each other and begin alike.
  for (const other of link.kind === 'extent' ? [] : files) {
    if (link.state === 'loop' || !(await hasSameHead(other, file).catch(() => false))) continue;
    doubts.push({ kind: 'same-file', other: other.name });
    break;
  }
  // Only what is read as raw, whatever it is, can be something else.
  const content =
    link.format === 'raw' ? await contentFormat(file).catch(() => undefined) : undefined;
  if (content === undefined) return doubts;
  const { format: found, looksLike } = content;
  if (looksLike !== undefined && looksLike !== 'unknown') {
    doubts.push({ kind: 'foreign', looksLike });
  } else if (found !== 'raw') {
    doubts.push({ kind: 'format', recorded: link.recordedFormat, found });
  }
  return doubts;
}

/** What is suspicious about a base beside the image above it. */
function comparing(base: Link, above: Link): ChainDoubt[] {
  const doubts: ChainDoubt[] = [];
  const sizes = { base: base.disk?.size ?? 0, overlay: above.disk?.size ?? 0 };
  if (sizes.base !== sizes.overlay) {
    doubts.push({ kind: sizes.base < sizes.overlay ? 'base-smaller' : 'base-larger', ...sizes });
  }
  const times = { base: base.file?.lastModified ?? 0, overlay: above.file?.lastModified ?? 0 };
  if (times.base > times.overlay + TOGETHER) doubts.push({ kind: 'changed-later', ...times });
  return doubts;
}
