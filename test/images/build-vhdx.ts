/**
 * Makes VHDX images for tests, after [MS-VHDX] and without a line of the engine; and looks at images
 * that others made, with a checksum of its own.
 */
const MIB = 1024 * 1024;
const KIB64 = 64 * 1024;
const LOG_AT = MIB;
const LOG_BYTES = MIB;
const BAT_AT = 2 * MIB;
const METADATA_AT = 3 * MIB;
const DATA_AT = 4 * MIB;
const LOG_SECTOR = 4096;

export const VHDX_LAYOUT = { LOG_AT, LOG_BYTES, BAT_AT, METADATA_AT, DATA_AT } as const;

/** What a block is, and its content. */
export interface VhdxBlock {
  /** 0 not present, 2 zero, 6 present, 7 partially present, or any other number. */
  state: number;
  bytes?: Uint8Array;
  /** Of a partially present block: whether a sector is here. */
  present?: (sector: number) => boolean;
}

export type VhdxLogWrite =
  | { offset: number; bytes: Uint8Array }
  | { offset: number; zeros: number };

export interface VhdxLogEntry {
  /** From the start of the log, bytes. */
  at: number;
  sequence: number;
  /** Where its sequence begins; itself by default. */
  tail?: number;
  writes?: VhdxLogWrite[];
  /** Bytes of the file; by default as long as it is. */
  flushed?: number;
  last?: number;
  guid?: string;
}

export interface VhdxSpec {
  size: number;
  blockSize?: number;
  sectorSize?: number;
  physicalSectorSize?: number;
  blocks?: ReadonlyMap<number, VhdxBlock>;
  flags?: number;
  dataWriteGuid?: string;
  creator?: string;
  /** Keys and values of the parent locator; makes it a differencing image. */
  parent?: Readonly<Record<string, string>>;
  log?: { guid: string; entries: VhdxLogEntry[] };
}

export const LOG_GUID = '5b7f1c52-8f39-4a9a-8d2b-0f4e61d3a701';
export const DATA_GUID = '0a1b2c3d-4e5f-4a6b-8c7d-8e9fa0b1c2d3';

/** The image; its file ends behind the last block. */
export function buildVhdx(spec: VhdxSpec): Uint8Array<ArrayBuffer> {
  const { size, blockSize = 2 * MIB, sectorSize = 512 } = spec;
  const ratio = (2 ** 23 * sectorSize) / blockSize;
  const blocks = [...(spec.blocks ?? new Map<number, VhdxBlock>())].sort(([a], [b]) => a - b);
  let end = DATA_AT;
  const take = (length: number): number => {
    const at = end;
    end += Math.ceil(length / MIB) * MIB;
    return at;
  };
  const entries = new Map<number, bigint>();
  const parts: { at: number; bytes: Uint8Array }[] = [];
  const bitmaps = new Map<number, Uint8Array>();
  for (const [index, { state, bytes, present }] of blocks) {
    const isThere = bytes !== undefined || state >= 6;
    const at = isThere ? take(blockSize) : 0;
    if (bytes !== undefined) parts.push({ at, bytes });
    entries.set(index + Math.floor(index / ratio), BigInt(at) | BigInt(state));
    if (present === undefined) continue;
    const chunk = Math.floor(index / ratio);
    let bitmap = bitmaps.get(chunk);
    if (bitmap === undefined) {
      bitmap = new Uint8Array(MIB);
      bitmaps.set(chunk, bitmap);
      const bitmapAt = take(MIB);
      parts.push({ at: bitmapAt, bytes: bitmap });
      entries.set((chunk + 1) * (ratio + 1) - 1, BigInt(bitmapAt) | 6n);
    }
    const sectors = blockSize / sectorSize;
    for (let sector = 0; sector < sectors; sector++) {
      if (!present(sector)) continue;
      const bit = (index % ratio) * sectors + sector;
      bitmap[bit >>> 3]! |= 1 << (bit & 7);
    }
  }
  const file = new Uint8Array(end);
  const view = new DataView(file.buffer);
  text(file, 0, 'vhdxfile');
  file.set(utf16(spec.creator ?? 'test builder'), 8);
  for (const index of [0, 1]) putHeader(file, index, spec);
  for (const at of [3 * KIB64, 4 * KIB64]) putRegions(file, at);
  putMetadata(file, { ...spec, blockSize, sectorSize, size });
  for (const [entry, value] of entries) view.setBigUint64(BAT_AT + entry * 8, value, true);
  for (const { at, bytes } of parts) file.set(bytes.subarray(0, Math.min(bytes.length, end - at)), at);
  for (const entry of spec.log?.entries ?? []) {
    putLogEntry(file, entry, spec.log?.guid ?? LOG_GUID, end);
  }
  return file;
}

function putHeader(file: Uint8Array, index: number, spec: VhdxSpec): void {
  const at = (index + 1) * KIB64;
  const view = new DataView(file.buffer);
  text(file, at, 'head');
  view.setBigUint64(at + 8, BigInt(100 + index), true);
  file.set(guid('11111111-2222-4333-8444-555555555555'), at + 16);
  file.set(guid(spec.dataWriteGuid ?? DATA_GUID), at + 32);
  if (spec.log !== undefined) file.set(guid(spec.log.guid), at + 48);
  view.setUint16(at + 66, 1, true);
  view.setUint32(at + 68, LOG_BYTES, true);
  view.setBigUint64(at + 72, BigInt(LOG_AT), true);
  sealAt(file, at, 4096);
}

const REGION_GUIDS = ['2dc27766-f623-4200-9d64-115e9bfd4a08', '8b7ca206-4790-4b9a-b8fe-575f050f886e'];

function putRegions(file: Uint8Array, at: number): void {
  const view = new DataView(file.buffer);
  text(file, at, 'regi');
  view.setUint32(at + 8, 2, true);
  for (const [index, place] of [BAT_AT, METADATA_AT].entries()) {
    const entry = at + 16 + index * 32;
    file.set(guid(REGION_GUIDS[index]!), entry);
    view.setBigUint64(entry + 16, BigInt(place), true);
    view.setUint32(entry + 24, MIB, true);
    view.setUint32(entry + 28, 1, true);
  }
  sealAt(file, at, KIB64);
}

function putMetadata(file: Uint8Array, spec: VhdxSpec & { blockSize: number; sectorSize: number }) {
  const view = new DataView(file.buffer);
  const items: { id: string; bytes: Uint8Array }[] = [
    {
      id: 'caa16737-fa36-4d43-b3b6-33f0aa44e76b',
      bytes: numbers([spec.blockSize, 4], [spec.flags ?? (spec.parent === undefined ? 0 : 2), 4]),
    },
    { id: '2fa54224-cd1b-4876-b211-5dbed83bf4b8', bytes: numbers([spec.size, 8]) },
    {
      id: 'beca12ab-b2e6-4523-93ef-c309e000c746',
      bytes: guid('99999999-aaaa-4bbb-8ccc-dddddddddddd'),
    },
    { id: '8141bf1d-a96f-4709-ba47-f233a8faab5f', bytes: numbers([spec.sectorSize, 4]) },
    {
      id: 'cda348c7-445d-4471-9cc9-e9885251c556',
      bytes: numbers([spec.physicalSectorSize ?? 4096, 4]),
    },
  ];
  if (spec.parent !== undefined) {
    items.push({ id: 'a8d35f2d-b30b-454d-abf7-d3d84834ab0c', bytes: locator(spec.parent) });
  }
  text(file, METADATA_AT, 'metadata');
  view.setUint16(METADATA_AT + 10, items.length, true);
  let offset = KIB64;
  for (const [index, { id, bytes }] of items.entries()) {
    const entry = METADATA_AT + 32 + index * 32;
    file.set(guid(id), entry);
    view.setUint32(entry + 16, offset, true);
    view.setUint32(entry + 20, bytes.length, true);
    view.setUint32(entry + 24, 4, true);
    file.set(bytes, METADATA_AT + offset);
    offset += Math.ceil(bytes.length / 8) * 8;
  }
}

function locator(values: Readonly<Record<string, string>>): Uint8Array {
  const pairs = Object.entries(values).map(([key, value]) => [utf16(key), utf16(value)] as const);
  const length = pairs.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  const bytes = new Uint8Array(20 + pairs.length * 12 + length);
  const view = new DataView(bytes.buffer);
  bytes.set(guid('b04aefb7-d19e-4a81-b789-25b8e9445913'));
  view.setUint16(18, pairs.length, true);
  let at = 20 + pairs.length * 12;
  for (const [index, [key, value]] of pairs.entries()) {
    const entry = 20 + index * 12;
    view.setUint32(entry, at, true);
    view.setUint32(entry + 4, at + key.length, true);
    view.setUint16(entry + 8, key.length, true);
    view.setUint16(entry + 10, value.length, true);
    bytes.set(key, at);
    bytes.set(value, at + key.length);
    at += key.length + value.length;
  }
  return bytes;
}

/** Puts an entry into the ring; it goes on at the start where the end is reached. */
function putLogEntry(file: Uint8Array, entry: VhdxLogEntry, id: string, end: number): void {
  const { writes = [], sequence } = entry;
  const heads = Math.ceil((64 + writes.length * 32) / LOG_SECTOR);
  const sectors = writes.filter((write) => 'bytes' in write).length;
  const bytes = new Uint8Array((heads + sectors) * LOG_SECTOR);
  const view = new DataView(bytes.buffer);
  text(bytes, 0, 'loge');
  view.setUint32(8, bytes.length, true);
  view.setUint32(12, entry.tail ?? entry.at, true);
  view.setBigUint64(16, BigInt(sequence), true);
  view.setUint32(24, writes.length, true);
  bytes.set(guid(entry.guid ?? id), 32);
  view.setBigUint64(48, BigInt(entry.flushed ?? end), true);
  view.setBigUint64(56, BigInt(entry.last ?? end), true);
  let data = heads * LOG_SECTOR;
  for (const [index, write] of writes.entries()) {
    const at = 64 + index * 32;
    view.setBigUint64(at + 16, BigInt(write.offset), true);
    view.setBigUint64(at + 24, BigInt(sequence), true);
    if ('zeros' in write) {
      text(bytes, at, 'zero');
      view.setBigUint64(at + 8, BigInt(write.zeros), true);
      continue;
    }
    text(bytes, at, 'desc');
    bytes.set(write.bytes.subarray(4092, 4096), at + 4);
    bytes.set(write.bytes.subarray(0, 8), at + 8);
    bytes.set(write.bytes, data);
    text(bytes, data, 'data');
    view.setUint32(data + 4, Math.floor(sequence / 2 ** 32), true);
    view.setUint32(data + 4092, sequence % 2 ** 32, true);
    data += LOG_SECTOR;
  }
  sealAt(bytes, 0, bytes.length);
  for (let at = 0; at < bytes.length; at += LOG_SECTOR) {
    const place = (entry.at + at) % LOG_BYTES;
    file.set(bytes.subarray(at, at + LOG_SECTOR), LOG_AT + place);
  }
}

function text(bytes: Uint8Array, at: number, value: string): void {
  for (let i = 0; i < value.length; i++) bytes[at + i] = value.charCodeAt(i);
}

function utf16(value: string): Uint8Array {
  return new Uint8Array(Buffer.from(value, 'utf16le'));
}

function numbers(...values: [value: number, bytes: 4 | 8][]): Uint8Array {
  const parts = values.map(([value, length]) => {
    const bytes = Buffer.alloc(length);
    if (length === 4) bytes.writeUInt32LE(value);
    else bytes.writeBigUInt64LE(BigInt(value));
    return bytes;
  });
  return new Uint8Array(Buffer.concat(parts));
}

/** Microsoft's order: three numbers with their lowest byte first, then eight bytes. */
export function guid(value: string): Uint8Array {
  const [a = '', b = '', c = '', d = '', e = ''] = value.split('-');
  const back = (hex: string) => Buffer.from(hex, 'hex').reverse();
  return new Uint8Array(
    Buffer.concat([back(a), back(b), back(c), Buffer.from(d, 'hex'), Buffer.from(e, 'hex')]),
  );
}

const CRC = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** CRC-32C with zeros in place of the four bytes at 4. */
function checksum(bytes: Uint8Array, at: number, length: number): number {
  let crc = -1;
  for (let i = 0; i < length; i++) {
    const byte = i >= 4 && i < 8 ? 0 : bytes[at + i]!;
    crc = CRC[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}

/** Makes the checksum of a structure right. */
export function sealAt(bytes: Uint8Array, at: number, length: number): void {
  const sum = checksum(bytes, at, length);
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(at + 4, sum, true);
}

/** Makes all checksums of headers, region tables and log entries right. */
export function sealVhdx(bytes: Uint8Array): void {
  const places = [
    ...[KIB64, 2 * KIB64].map((at) => ({ at, length: 4096 })),
    ...[3 * KIB64, 4 * KIB64].map((at) => ({ at, length: KIB64 })),
  ];
  for (const { at, length } of places) {
    if (at + length <= bytes.length) sealAt(bytes, at, length);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = LOG_AT; at + LOG_SECTOR <= Math.min(bytes.length, BAT_AT); at += LOG_SECTOR) {
    const length = view.getUint32(at + 8, true);
    if (view.getUint32(at, true) !== 0x65676f6c || at + length > BAT_AT) continue;
    if (length >= 64 && at + length <= bytes.length) sealAt(bytes, at, length);
  }
}

/** What an image has apart from what is made up at random. */
export interface MaskedVhdx {
  readonly bytes: Uint8Array;
  /** Whether every checksum is right. */
  readonly areSumsRight: boolean;
  /** Of the second header, less that of the first. */
  readonly step: number;
}

/**
 * Blanks identities, the checksums over them, the numbers of the headers (which begin anywhere),
 * and what QEMU leaves in entries of the log behind their descriptor: memory that it never wrote.
 */
export function maskVhdx(image: Uint8Array): MaskedVhdx {
  const bytes = image.slice();
  const view = new DataView(bytes.buffer);
  let areSumsRight = true;
  const judge = (at: number, length: number): void => {
    if (view.getUint32(at + 4, true) !== checksum(bytes, at, length)) areSumsRight = false;
  };
  const step = Number(view.getBigUint64(2 * KIB64 + 8, true) - view.getBigUint64(KIB64 + 8, true));
  const logLength = view.getUint32(KIB64 + 68, true);
  for (const at of [KIB64, 2 * KIB64]) {
    judge(at, 4096);
    bytes.fill(0, at + 4, at + 48);
  }
  for (const at of [3 * KIB64, 4 * KIB64]) judge(at, KIB64);
  for (let at = LOG_AT; at < LOG_AT + logLength; at += LOG_SECTOR) {
    if (view.getUint32(at, true) !== 0x65676f6c) continue;
    judge(at, view.getUint32(at + 8, true));
    bytes.fill(0, at + 4, at + 8);
    bytes.fill(0, at + 32, at + 48);
    bytes.fill(0, at + 64 + view.getUint32(at + 24, true) * 32, at + LOG_SECTOR);
  }
  const metadata = Number(view.getBigUint64(3 * KIB64 + 16 + 32 + 16, true));
  bytes.fill(0, metadata + KIB64 + 16, metadata + KIB64 + 32);
  return { bytes, areSumsRight, step };
}
