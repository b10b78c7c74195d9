/** The parts of a disk, in words and numbers. */
import type { DiskContents, FileSystemInfo } from '../worker/api.ts';
import { contentsOf } from './contents-state.svelte.ts';
import { typeName } from './contents-types.ts';
import type { Fact } from './facts.ts';
import type { OpenImage } from './open-image.svelte.ts';
import { bytes, exactBytes, hex, percent, whole } from './units.ts';
import { words } from './words.svelte.ts';

type Table = NonNullable<DiskContents['table']>;
type Partition = Table['partitions'][number];

const MIB = 1024 * 1024;
const SECTOR = 512;

/** Free room up to this is there for alignment, bytes. */
const MOST_PADDING = MIB;

/** A part of the disk, bytes. */
export interface DiskPart {
  /** `partition 1`, `free 4096`, `whole`. */
  id: string;
  start: number;
  length: number;
  /** Undefined: free, or the whole disk. */
  partition: Partition | undefined;
  inside: FileSystemInfo | 'unreadable' | undefined;
  /** What it is drawn as. */
  look: PartLook;
}

/** Kinds of parts that are told apart at a glance. */
export type PartLook =
  'linux' | 'windows' | 'apple' | 'boot' | 'swap' | 'container' | 'disc' | 'other' | 'free';

const LOOKS: Readonly<Record<FileSystemInfo['kind'], PartLook>> = {
  ...{ ext2: 'linux', ext3: 'linux', ext4: 'linux', xfs: 'linux', btrfs: 'linux', f2fs: 'linux' },
  ...{ ntfs: 'windows', refs: 'windows', exfat: 'windows' },
  ...{ fat12: 'boot', fat16: 'boot', fat32: 'boot', swap: 'swap' },
  ...{ apfs: 'apple', 'hfs-plus': 'apple' },
  ...{ lvm2: 'container', luks1: 'container', luks2: 'container', bitlocker: 'container' },
  ...{ 'md-raid': 'container', zfs: 'container' },
  ...{ iso9660: 'disc', squashfs: 'disc', erofs: 'disc' },
};

/** All parts of a disk of `size` bytes, in their order; none where nothing is known of it. */
export function partsOf({ table, inside, whole: all }: DiskContents, size: number): DiskPart[] {
  if (table === undefined) {
    if (all === undefined) return [];
    const look = LOOKS[all.kind];
    return [{ id: 'whole', start: 0, length: size, partition: undefined, inside: all, look }];
  }
  const partitions = table.partitions
    .map((partition, index) => partOf(partition, inside[index], index))
    // What only holds others is seen by these.
    .filter(({ partition }) => typeName(partition?.type ?? '') !== 'extended')
    .sort((a, b) => a.start - b.start);
  const parts: DiskPart[] = [];
  let at = 0;
  for (const part of partitions) {
    addFree(parts, at, part.start);
    parts.push(part);
    at = Math.max(at, part.start + part.length);
  }
  addFree(parts, at, size);
  return parts;
}

function partOf(partition: Partition, inside: DiskPart['inside'], index: number): DiskPart {
  const { number, start, length } = partition;
  const look = typeof inside === 'object' ? LOOKS[inside.kind] : 'other';
  // A table may say one number twice.
  return { id: `partition ${number} ${index}`, start, length, partition, inside, look };
}

function addFree(parts: DiskPart[], start: number, end: number): void {
  if (end - start <= MOST_PADDING) return;
  const id = `free ${start}`;
  const length = end - start;
  parts.push({ id, start, length, partition: undefined, inside: undefined, look: 'free' });
}

/** The part that suggests itself: the largest with a file system, else the first. */
export function suggested(parts: readonly DiskPart[]): DiskPart | undefined {
  const known = parts.filter(({ inside }) => typeof inside === 'object');
  return known.toSorted((a, b) => b.length - a.length)[0] ?? parts[0];
}

/** What a part is called. */
export function nameOf({ id, partition }: DiskPart): string {
  const text = words.part('contents');
  if (partition !== undefined) return text.partition(partition.number);
  return id === 'whole' ? text.whole : text.free;
}

/** What is in it, in a word: `ext4`, `Not recognised`. */
export function insideOf({ inside, look }: DiskPart): string {
  const text = words.part('contents');
  if (look === 'free') return '';
  if (inside === undefined) return text.none;
  return inside === 'unreadable' ? text.unreadable : text.kinds[inside.kind];
}

/** Its label, or the name that the partition has. */
export function labelOf({ inside, partition }: DiskPart): string {
  const label = typeof inside === 'object' ? inside.label : '';
  return label === '' ? (partition?.name ?? '') : label;
}

/** How much of it is in use, from 0 to 1; undefined where nobody says. */
export function usedShare({ inside }: DiskPart): number | undefined {
  if (typeof inside !== 'object' || inside.used === undefined) return undefined;
  return inside.size === undefined || inside.size === 0 ? undefined : inside.used / inside.size;
}

/** All that is known of a part, each to be copied. */
export function factsOfPart(part: DiskPart): Fact[] {
  const { facts: text } = words.part('contents');
  const { partition, inside } = part;
  const info = typeof inside === 'object' ? inside : undefined;
  const facts: Fact[] = [];
  if (info !== undefined) facts.push(...factsInside(info));
  facts.push(sizeFact('size', text.size, part.length));
  if (part.id !== 'whole') facts.push(startFact(part));
  if (partition !== undefined) {
    facts.push(fact('type', text.type, typeText(partition), partition.type));
    if (partition.name !== '') facts.push(fact('name', text.name, partition.name));
  }
  if (info !== undefined && info.uuid !== '')
    facts.push(fact('uuid', text[uuidWord(info)], info.uuid));
  if (info !== undefined && info.blockSize > 0) {
    facts.push(sizeFact('block', text.block, info.blockSize));
  }
  return facts;
}

function factsInside(info: FileSystemInfo): Fact[] {
  const { facts: text, kinds, usedOf } = words.part('contents');
  const facts = [fact('kind', isContainer(info) ? text.holds : text.fileSystem, kinds[info.kind])];
  if (info.label !== '') facts.push(fact('label', text[labelWord(info)], info.label));
  if (info.used !== undefined && info.size !== undefined) {
    const { tag } = words;
    const share = percent(info.used, info.size, tag);
    const value = usedOf(bytes(info.used, tag), bytes(info.size, tag), share);
    facts.push({ ...fact('used', text.used, value), copy: String(info.used) });
  }
  return facts;
}

/** Where it begins; of a partition, whether that is on a whole MiB, as tools of today do it. */
function startFact({ start, partition }: DiskPart): Fact {
  const text = words.part('contents');
  const sector = text.sector(whole(start / SECTOR, words.tag));
  const note = partition === undefined ? sector : text.alignment(sector, start % MIB === 0);
  const value = start === 0 ? '0' : bytes(start, words.tag);
  return { ...fact('start', text.facts.start, value, note), copy: String(start) };
}

function isContainer({ kind }: FileSystemInfo): boolean {
  return LOOKS[kind] === 'container' || kind === 'swap';
}

function labelWord({ kind }: FileSystemInfo): 'label' | 'group' | 'array' | 'pool' {
  if (kind === 'lvm2') return 'group';
  if (kind === 'md-raid') return 'array';
  return kind === 'zfs' ? 'pool' : 'label';
}

function uuidWord({ kind }: FileSystemInfo): 'uuid' | 'serial' | 'made' {
  if (kind === 'iso9660') return 'made';
  return LOOKS[kind] === 'windows' || LOOKS[kind] === 'boot' ? 'serial' : 'uuid';
}

function typeText({ type }: Partition): string {
  const { types } = words.part('contents');
  return types[typeName(type)];
}

function fact(id: string, label: string, value: string, note = ''): Fact {
  return { id: `part-${id}`, label, value, note, copy: note === '' ? value : note };
}

function sizeFact(id: string, label: string, size: number): Fact {
  const note = size < 1024 ? '' : exactBytes(size, words.tag);
  return { ...fact(id, label, bytes(size, words.tag), note), copy: String(size) };
}

/** What else there is to say of a part. */
export interface PartNote {
  tone: 'warn' | 'plain';
  text: string;
}

/** Remarks on a part of a disk of `size` bytes, what needs attention first. */
export function notesOf(part: DiskPart, parts: readonly DiskPart[], size: number): PartNote[] {
  const { notes: text, freeNote, noneNote, unreadableNote } = words.part('contents');
  const { inside, start, length } = part;
  if (part.look === 'free') return [{ tone: 'plain', text: freeNote }];
  const warnings: string[] = [];
  const remarks: string[] = [];
  if (start + length > size) warnings.push(text.beyond(bytes(size, words.tag)));
  const other = parts.find((one) => one !== part && overlap(one, part));
  if (other?.partition !== undefined) warnings.push(text.overlaps(other.partition.number));
  if (inside === 'unreadable') warnings.push(unreadableNote);
  if (inside === undefined) remarks.push(noneNote);
  if (typeof inside === 'object') addInside(inside, Math.min(length, size - start));
  return [
    ...warnings.map((one) => ({ tone: 'warn' as const, text: one })),
    ...remarks.map((one) => ({ tone: 'plain' as const, text: one })),
  ];

  function addInside(info: FileSystemInfo, room: number): void {
    const { tag } = words;
    if (info.isCut) warnings.push(text.cut(bytes(info.size ?? 0, tag), bytes(room, tag)));
    if (info.isDamaged) warnings.push(text.damaged);
    if (info.isDirty) warnings.push(info.kind === 'swap' ? text.sleeping : text.dirty);
    const isLocked = ['luks1', 'luks2', 'bitlocker'].includes(info.kind);
    if (isLocked) remarks.push(text.encrypted);
    else if (LOOKS[info.kind] === 'container') remarks.push(text.volumes);
  }
}

function overlap(a: DiskPart, b: DiskPart): boolean {
  return a.start < b.start + b.length && b.start < a.start + a.length;
}

/** Whether something about a part needs attention. */
export function needsAttention(part: DiskPart, parts: readonly DiskPart[], size: number): boolean {
  return notesOf(part, parts, size).some(({ tone }) => tone === 'warn');
}

/** What an image is, in sentences for somebody who never saw it. */
export function inShort(image: OpenImage): string {
  const { info } = image;
  if (info === undefined) return '';
  const { inShort: text } = words.part('contents');
  const { tag } = words;
  const disk = bytes(info.virtualSize, tag);
  const first = info.format === 'raw' ? text.raw(disk) : text.image(info.format, disk);
  const sentences = [first, ...contentSentences(image)];
  if (info.snapshots.length > 0) sentences.push(text.snapshots(info.snapshots.length));
  const below = image.chain.find(({ kind }) => kind === 'backing');
  if (below !== undefined) sentences.push(text.backing(below.reference.fileName || below.name));
  return sentences.join(text.space);
}

function contentSentences(image: OpenImage): string[] {
  const found = contentsOf(image)?.found;
  if (found === undefined) return [];
  const { inShort: text, kinds, separator } = words.part('contents');
  if (found.isEmpty) return [text.empty];
  const parts = partsOf(found, image.info?.virtualSize ?? 0);
  const partitions = parts.filter(({ partition }) => partition !== undefined);
  if (found.table !== undefined) {
    const names = partitions.map(({ inside }) =>
      typeof inside === 'object' ? kinds[inside.kind] : text.unknown,
    );
    const what = [...new Set(names)].join(separator);
    if (names.length === 0) return [];
    return [names.length === 1 ? text.one(what) : text.several(names.length, what)];
  }
  if (found.whole === undefined) return [];
  const kind = kinds[found.whole.kind];
  return [isContainer(found.whole) ? text.volume(kind) : text.whole(kind)];
}

/** The same for a report: a line for each part. */
export function contentRows(image: OpenImage): [label: string, value: string][] {
  const found = contentsOf(image)?.found;
  if (found === undefined) return [];
  const text = words.part('contents');
  const size = image.info?.virtualSize ?? 0;
  const parts = partsOf(found, size);
  if (parts.length === 0) return found.isEmpty ? [[text.title, text.empty]] : [];
  const heading: [string, string][] =
    found.table === undefined ? [] : [[text.title, text.schemes[found.table.scheme]]];
  return [...heading, ...parts.map((part) => rowOf(part, parts, size))];
}

function rowOf(part: DiskPart, parts: readonly DiskPart[], size: number): [string, string] {
  const { facts } = words.part('contents');
  const { tag } = words;
  const label = labelOf(part);
  const info = typeof part.inside === 'object' ? part.inside : undefined;
  const warnings = notesOf(part, parts, size).filter(({ tone }) => tone === 'warn');
  const values = [
    insideOf(part),
    label === '' ? '' : `“${label}”`,
    `${hex(part.start)} + ${bytes(part.length, tag)}`,
    info === undefined || info.uuid === '' ? '' : `${facts[uuidWord(info)]} ${info.uuid}`,
    ...warnings.map(({ text }) => text),
  ];
  return [nameOf(part), values.filter((value) => value !== '').join(', ')];
}
