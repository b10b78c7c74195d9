/** A chain in plain data: what each file of it is, and what is suspicious about it. */
import { type Disk, looksLikeDisk, luksSeconds, Qcow2Image, readDisk } from '../engine/index.ts';
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
/** The encryption method of the header. */
const LEGACY_AES = 1;
const LUKS = 2;
/** Bytes in which a disk shows what it is. */
const BEGINNING = 68 * 1024;

/** All files from the image down: a data file behind the image that names it. */
export async function describeChain(source: ChainSource): Promise<ChainFile[]> {
  const chain: ChainFile[] = [];
  const files: File[] = [source.file];
  let link: Link | undefined = { disk: source.disk, file: source.file, asked: undefined };
  let above: Link | undefined;
  for (let depth = 0; link !== undefined; depth++) {
    chain.push(await describeLink(link, above, depth, source, files));
    const disk: Disk | undefined = link.disk;
    const dataFile = askedFor(disk, 'data-file', source.asked);
    if (dataFile !== undefined) chain.push(await describeDataFile(link, dataFile, depth, files));
    above = link;
    const backing = askedFor(disk, 'backing', source.asked);
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

/** The request for what an image names; made up where the engine did not come to ask. */
function askedFor(
  disk: Disk | undefined,
  kind: 'backing' | 'data-file',
  asked: readonly Asked[],
): Asked | undefined {
  if (!(disk instanceof Qcow2Image)) return undefined;
  const { header, storage } = disk;
  const isBacking = kind === 'backing';
  if (isBacking ? header.backingName === '' : !header.hasDataFile) return undefined;
  const request = {
    kind,
    name: isBacking ? header.backingName : header.dataFileName,
    format: isBacking ? header.backingFormat : 'raw',
    from: storage.name,
  };
  const key = keyOf(request);
  const known = asked.find((one) => one.key === key);
  return known ?? { key, request, file: undefined, refusal: undefined, storage: undefined };
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
  const { file, request } = asked;
  const link: ChainFile = {
    ...common(asked, file),
    kind: 'data-file',
    depth,
    name: request.name,
    reference: pathReference(request.name),
    state: asked.storage === undefined ? 'missing' : 'open',
    format: asked.storage === undefined ? undefined : 'raw',
    virtualSize: undefined,
    ...encryptionOf(undefined),
    looksRight: undefined,
    problem: undefined,
    doubts: [],
  };
  if (file === undefined) return link;
  link.doubts = await doubtsOf(link, file, files);
  const size = owner.disk?.size ?? 0;
  if (file.size < size) {
    link.doubts.push({ kind: 'data-file-short', size: file.size, disk: size });
  }
  files.push(file);
  return link;
}

function common(asked: Asked | undefined, file: File | undefined) {
  return {
    key: asked?.key ?? '',
    recordedFormat: asked?.request.format ?? '',
    file: file && { name: file.name, size: file.size, modified: file.lastModified },
  };
}

function encryptionOf(
  disk: Disk | undefined,
): Pick<ChainFile, 'encryption' | 'luks' | 'unlockSeconds'> {
  const image = disk instanceof Qcow2Image ? disk : undefined;
  const method = image?.header.cryptMethod ?? 0;
  const luks = image?.luks;
  return {
    encryption: method === 0 ? 'none' : method === LUKS ? 'luks' : 'aes',
    luks: luks?.info,
    unlockSeconds: luks === undefined ? 0 : luksSeconds(luks),
  };
}

/** Whether what a passphrase made of the beginning of a disk makes sense. */
async function looksRight(disk: Disk | undefined): Promise<boolean | undefined> {
  const isLegacy = disk instanceof Qcow2Image && disk.header.cryptMethod === LEGACY_AES;
  if (!isLegacy || disk.cipher === undefined) return undefined;
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
  if (expected !== '' && expected !== baseName(file.name)) {
    doubts.push({ kind: 'other-name', expected });
  }
  for (const other of files) {
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
