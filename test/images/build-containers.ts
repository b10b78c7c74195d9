/** Wrappers of files after their specifications, without the engine's help. */
import { crc32, deflateRawSync } from 'node:zlib';

/** A raw disk with a boot signature: mostly zeros, some lines of text, some noise. */
export function sampleDisk(size: number): Buffer {
  const disk = Buffer.alloc(size);
  for (let at = 4096; at + 600 < size; at += 65_536 + 512) {
    disk.write(`sector ${at} of a disk that was made for tests. `.repeat(10), at);
  }
  let state = 1;
  for (let i = 0; i < 3000 && i + 1024 < size; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    disk[1024 + i] = state >>> 16;
  }
  disk.set([0x55, 0xaa], 510);
  return disk;
}

export interface TarMember {
  readonly name: string;
  readonly data: Buffer;
  readonly type?: string;
  /** In place of the length of the data. */
  readonly size?: number;
  readonly magic?: 'posix' | 'gnu';
  /** Changes the header before its checksum is made. */
  readonly edit?: (header: Buffer) => void;
}

/** One member: its header and its data, both as whole blocks. */
export function tarMember({ name, data, type = '0', size, magic = 'posix', edit }: TarMember) {
  const header = Buffer.alloc(512);
  header.write(name.slice(0, 100), 0);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${(size ?? data.length).toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write(type, 156);
  header.write(magic === 'gnu' ? 'ustar  \0' : 'ustar\x0000', 257);
  edit?.(header);
  header.write('        ', 148);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const padding = Buffer.alloc((512 - (data.length % 512)) % 512);
  return Buffer.concat([header, data, padding]);
}

export function buildTar(members: readonly TarMember[]): Buffer {
  return Buffer.concat([...members.map(tarMember), Buffer.alloc(1024)]);
}

/** The records of a pax header. */
export function paxRecords(records: readonly (readonly [string, string])[]): Buffer {
  const lines = records.map(([key, value]) => {
    const rest = ` ${key}=${value}\n`;
    const plain = Buffer.byteLength(rest);
    let length = plain + 1;
    while (String(length).length + plain !== length) length = String(length).length + plain;
    return `${length}${rest}`;
  });
  return Buffer.from(lines.join(''));
}

export interface ZipMember {
  readonly name: string;
  readonly data: Buffer;
  readonly method?: number;
  /** The packed bytes, where the method is neither 0 nor 8. */
  readonly packed?: Buffer;
  readonly flags?: number;
  readonly long?: boolean;
}

/** A zip with its directory; `long`: sizes and offsets in 64 bits. */
export function buildZip(members: readonly ZipMember[], { before = 0, long = false } = {}): Buffer {
  const parts: Buffer[] = [Buffer.alloc(before)];
  const directory: Buffer[] = [];
  let at = 0;
  for (const { name, data, method = 8, packed, flags = 0 } of members) {
    const content = packed ?? (method === 8 ? deflateRawSync(data) : data);
    const extra = Buffer.alloc(long ? 28 : 0);
    if (long) {
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(24, 2);
      extra.writeBigUInt64LE(BigInt(data.length), 4);
      extra.writeBigUInt64LE(BigInt(content.length), 12);
      extra.writeBigUInt64LE(BigInt(at), 20);
    }
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(flags, 6);
    local.writeUInt16LE(method, 8);
    local.writeUInt32LE(crc32Of(data), 14);
    local.writeUInt32LE(content.length, 18);
    local.writeUInt32LE(data.length, 22);
    local.writeUInt16LE(name.length, 26);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE(flags, 8);
    central.writeUInt16LE(method, 10);
    central.writeUInt32LE(crc32Of(data), 16);
    central.writeUInt32LE(long ? 0xffffffff : content.length, 20);
    central.writeUInt32LE(long ? 0xffffffff : data.length, 24);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt16LE(extra.length, 30);
    central.writeUInt32LE(long ? 0xffffffff : at, 42);
    directory.push(central, Buffer.from(name), extra);
    parts.push(local, Buffer.from(name), content);
    at += 30 + name.length + content.length;
  }
  const central = Buffer.concat(directory);
  parts.push(central);
  if (long) parts.push(longEnd(members.length, central.length, at));
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(long ? 0xffff : members.length, 8);
  end.writeUInt16LE(long ? 0xffff : members.length, 10);
  end.writeUInt32LE(long ? 0xffffffff : central.length, 12);
  end.writeUInt32LE(long ? 0xffffffff : at, 16);
  return Buffer.concat([...parts, end]);
}

function longEnd(entries: number, size: number, offset: number): Buffer {
  const end = Buffer.alloc(56 + 20);
  end.writeUInt32LE(0x06064b50, 0);
  end.writeBigUInt64LE(44n, 4);
  end.writeBigUInt64LE(BigInt(entries), 24);
  end.writeBigUInt64LE(BigInt(entries), 32);
  end.writeBigUInt64LE(BigInt(size), 40);
  end.writeBigUInt64LE(BigInt(offset), 48);
  end.writeUInt32LE(0x07064b50, 56);
  end.writeBigUInt64LE(BigInt(offset + size), 64);
  end.writeUInt32LE(1, 72);
  return end;
}

function crc32Of(data: Buffer): number {
  return crc32(data);
}
