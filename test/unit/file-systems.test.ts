import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ImageError } from '../../src/engine/index.ts';
import {
  FIRST_BYTES,
  type FileSystemInfo,
  MORE_BYTES,
} from '../../src/engine/guest/file-system.ts';
import { readContents, recognise } from '../../src/engine/guest/file-system-reader.ts';
import { FILE_SYSTEMS, fileSystem, type FileSystemSample } from '../images/file-systems.ts';

const UUID = '01234567-89ab-cdef-0123-456789abcdef';
const MIB = 1024 * 1024;

/** What `blkid -p` and the own tools of each (dumpe2fs, xfs_db, mdir …) say of the samples. */
const EXPECTED: Partial<Record<FileSystemSample, Partial<FileSystemInfo>>> = {
  ext2: { kind: 'ext2', label: 'ext two', uuid: UUID, size: 8 * MIB, used: 575488 },
  ext3: { kind: 'ext3', label: 'third', uuid: UUID, size: 16 * MIB },
  ext4: { kind: 'ext4', label: 'root', uuid: UUID, size: 64 * MIB, used: 9741312, blockSize: 1024 },
  'ext4-cut': { kind: 'ext4', label: 'cut', size: 64 * MIB, isCut: true },
  'ext4-nojournal': { kind: 'ext4', label: 'plain', isDirty: true },
  xfs: { kind: 'xfs', label: 'data', uuid: UUID, size: 320 * MIB, used: 67239936, blockSize: 4096 },
  xfs4: { kind: 'xfs', label: 'four', uuid: UUID, size: 320 * MIB },
  btrfs: { kind: 'btrfs', label: 'pool of all', uuid: UUID, size: 128 * MIB, used: 147456 },
  ntfs: {
    ...{ kind: 'ntfs', label: 'Windows Größe', uuid: '25E802E160B79D24', size: 16776704 },
    ...{ used: undefined, blockSize: 4096 },
  },
  'ntfs-dirty': { kind: 'ntfs', label: 'dirty', isDirty: true },
  'fat12-used': { kind: 'fat12', label: 'FLOPPY', uuid: '1234-ABCD', size: 1474560, used: 316928 },
  fat16: { kind: 'fat16', label: 'SIXTEEN', uuid: '1234-ABCE', size: 32 * MIB, blockSize: 2048 },
  'fat16-used': { kind: 'fat16', label: 'NEWNAME', size: 32 * MIB, used: 5085184 },
  fat32: { kind: 'fat32', label: 'EFI SYSTEM', uuid: '1234-ABCF', size: 64 * MIB, used: 1050112 },
  'fat32-noname': { kind: 'fat32', label: '', uuid: '1234-ABCF' },
  exfat: { kind: 'exfat', label: 'Card', uuid: '6F1E-60B1', size: 64 * MIB, blockSize: 4096 },
  swap: { kind: 'swap', label: 'swapspace', uuid: UUID, size: 4 * MIB, blockSize: 4096 },
  swap64: { kind: 'swap', label: 'big pages', uuid: UUID, size: 4 * MIB, blockSize: 65536 },
  iso: {
    ...{ kind: 'iso9660', label: 'Install Disc Long Na', uuid: '2026-11-21-20-36-01-00' },
    ...{ size: 370688, blockSize: 2048 },
  },
  'iso-plain': { kind: 'iso9660', label: 'PLAIN_ISO', uuid: '2026-01-05-09-00-00-00' },
  squashfs: { kind: 'squashfs', label: '', uuid: '', size: 236, blockSize: 131072 },
  erofs: { kind: 'erofs', uuid: UUID, size: 4096, blockSize: 4096 },
  f2fs: { kind: 'f2fs', label: 'flash', uuid: UUID, size: 64 * MIB, blockSize: 4096 },
  luks1: { kind: 'luks1', label: '', uuid: UUID, size: undefined },
  luks2: { kind: 'luks2', label: 'crypt', uuid: UUID, size: undefined },
  apfs: { kind: 'apfs', uuid: UUID, size: 600 * MIB, blockSize: 4096 },
  hfsplus: { kind: 'hfs-plus', label: 'HFSVOL', blockSize: 2048 },
  pv: { kind: 'lvm2', label: 'vg_guest', uuid: 'CZ10e0-kGid-fRBN-NLm0-1S05-AqzA-1imzCD' },
  pvonly: {
    kind: 'lvm2',
    label: '',
    uuid: 'TlQuAl-BWX2-BdU8-l2cx-g4QU-JM3z-LjQrEY',
    size: 64 * MIB,
  },
};

/** A place of `size` bytes with some at its beginning, or elsewhere. */
function placeOf(size: number, pieces: readonly (readonly [number, Uint8Array])[]) {
  return (offset: number, length: number): Promise<Uint8Array> => {
    const bytes = new Uint8Array(length);
    for (const [at, piece] of pieces) {
      for (const [index, byte] of piece.entries()) {
        const place = at + index - offset;
        if (place >= 0 && place < length && at + index < size) bytes[place] = byte;
      }
    }
    return Promise.resolve(bytes);
  };
}

/** Bytes with numbers and texts in their places. */
function bytesWith(
  size: number,
  fields: readonly (readonly [number, string | readonly number[]])[],
): Uint8Array {
  const bytes = new Uint8Array(size);
  for (const [at, value] of fields) {
    bytes.set(typeof value === 'string' ? Buffer.from(value, 'latin1') : value, at);
  }
  return bytes;
}

function word(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}

describe('file systems', () => {
  const known = Object.keys(EXPECTED) as FileSystemSample[];

  it('covers all samples', () => {
    expect(FILE_SYSTEMS.filter((name) => !name.endsWith('.raw')).sort()).toEqual(known.sort());
  });

  it.each(known)('%s', async (name) => {
    const { size, read } = fileSystem(name);
    const { table, whole } = await readContents(read, size);
    expect(table).toBeUndefined();
    const clean = { isDirty: false, isDamaged: false, isCut: false };
    expect(whole).toMatchObject({ ...clean, ...EXPECTED[name] });
  });

  it.each(['ext4', 'xfs', 'btrfs', 'exfat', 'apfs', 'pv', 'erofs'] as const)(
    'says that the checksum of %s is wrong',
    async (name) => {
      const { size, read } = fileSystem(name);
      // A byte of a label or UUID, which nothing else looks at.
      const at = { ext4: 1144, xfs: 110, btrfs: 65836, exfat: 101, apfs: 73, pv: 560, erofs: 1073 };
      const bad = async (offset: number, length: number) => {
        const bytes = await read(offset, length);
        const place = at[name] - offset;
        if (place >= 0 && place < length) bytes[place] = (bytes[place] ?? 0) ^ 1;
        return bytes;
      };
      expect((await readContents(bad, size)).whole?.isDamaged).toBe(true);
    },
  );

  it('needs more than two bytes to believe in ext', () => {
    const bytes = bytesWith(FIRST_BYTES, [[1024 + 56, [0x53, 0xef]]]);
    expect(recognise(bytes)).toBeUndefined();
  });

  it('what has no program here, by the bytes that are published', () => {
    const bitlocker = bytesWith(4096, [
      [0, [0xeb, 0x58, 0x90]],
      [3, '-FVE-FS-'],
      [510, [0x55, 0xaa]],
    ]);
    expect(recognise(bitlocker)?.found.kind).toBe('bitlocker');
    const toGo = bytesWith(4096, [
      [3, 'MSWIN4.1'],
      [424, Buffer.from('3bd66749292ed84a8399f6a339e3d001', 'hex').toJSON().data],
    ]);
    expect(recognise(toGo)?.found.kind).toBe('bitlocker');
    const refs = bytesWith(4096, [
      [3, 'ReFS\0\0\0\0'],
      [16, 'FSRS'],
      [24, word(262144)],
      [32, word(512)],
      [36, word(128)],
    ]);
    expect(recognise(refs)?.found).toMatchObject({
      kind: 'refs',
      size: 128 * MIB,
      blockSize: 65536,
    });
    const sleeping = bytesWith(4096, [[4086, 'S1SUSPEND']]);
    expect(recognise(sleeping)?.found).toMatchObject({ kind: 'swap', isDirty: true });
  });

  it('ZFS: name and number of the pool out of a list of pairs', () => {
    const pair = (name: string, kind: number, value: Buffer): Buffer => {
      const text = xdr(name);
      const length = 8 + text.length + 8 + value.length;
      return Buffer.concat([big(length), big(length), text, big(kind), big(1), value]);
    };
    const guid = Buffer.from('f000000000000001', 'hex');
    const list = Buffer.concat([
      Buffer.from([1, 1, 0, 0]),
      ...[big(0), big(1)],
      pair('version', 8, Buffer.from('0000000000001388', 'hex')),
      ...[pair('name', 9, xdr('tank')), pair('pool_guid', 8, guid), Buffer.alloc(8)],
    ]);
    const bytes = bytesWith(FIRST_BYTES, [[16384, [...list]]]);
    expect(recognise(bytes)?.found).toMatchObject({
      ...{ kind: 'zfs', label: 'tank', uuid: '17293822569102704641' },
    });
  });
});

function big(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function xdr(text: string): Buffer {
  const bytes = Buffer.alloc(4 + Math.ceil(text.length / 4) * 4);
  bytes.writeUInt32BE(text.length);
  bytes.write(text, 4, 'latin1');
  return bytes;
}

describe('members of software RAID', () => {
  const uuid = [...Buffer.from('0123456789abcdef0123456789abcdef', 'hex')];
  /** Version 1 at `at`. */
  function member(at: number): Uint8Array {
    return bytesWith(512, [
      ...([
        [0, word(0xa92b4efc)],
        [4, word(1)],
        [16, uuid],
        [32, 'host:array'],
      ] as const),
      ...([
        [136, word(4096)],
        [144, word(at / 512)],
      ] as const),
    ]);
  }
  const size = 32 * MIB + 12288;
  const found = { kind: 'md-raid', label: 'host:array', uuid: UUID, size: 2 * MIB };

  it.each([
    ['1.1', 0],
    ['1.2', 4096],
    ['1.0', size - 8192],
  ])('version %s', async (_, at) => {
    const { whole } = await readContents(placeOf(size, [[at, member(at)]]), size);
    expect(whole).toMatchObject(found);
  });

  it('version 0.90, over what a mirror shows in front', async () => {
    const old = bytesWith(512, [
      ...([
        [0, word(0xa92b4efc)],
        [4, word(0)],
        [8, word(90)],
        [32, word(2048)],
      ] as const),
      ...([
        [20, uuid.slice(0, 4)],
        [52, uuid.slice(4)],
      ] as const),
    ]);
    const ext = fileSystem('ext4');
    const pieces = ext.pieces.map(({ offset, bytes }) => [offset, bytes] as const);
    const end = 64 * MIB - 65536;
    const { whole } = await readContents(placeOf(64 * MIB, [...pieces, [end, old]]), 64 * MIB);
    expect(whole).toMatchObject({ kind: 'md-raid', label: '', uuid: UUID, size: 2 * MIB });
  });

  it('that lies elsewhere than it says is none', async () => {
    const { whole } = await readContents(placeOf(size, [[4096, member(0)]]), size);
    expect(whole).toBeUndefined();
  });
});

describe('disks with partitions', () => {
  it('GPT', async () => {
    const { size, read } = fileSystem('gpt.raw');
    const { table, inside, whole } = await readContents(read, size);
    expect(table).toMatchObject({ scheme: 'gpt', gpt: { primary: true, backup: true } });
    expect(whole).toBeUndefined();
    const kinds = inside.map((one) => (typeof one === 'object' ? one.kind : one));
    expect(kinds).toEqual(['fat32', 'xfs', 'swap', 'ntfs', 'lvm2', 'luks2']);
  });

  it('MBR, what is cut off by the end of the disk, and where nothing is', async () => {
    const { size, read } = fileSystem('mbr.raw');
    const { table, inside } = await readContents(read, size);
    const found = table?.partitions.map(({ number, type }, index) => {
      const one = inside[index];
      return [number, type, typeof one === 'object' ? one.kind : one];
    });
    expect(found).toEqual([
      [1, '06', 'fat16'],
      [2, '05', undefined],
      [3, '83', 'ext4'],
      [5, '83', 'ext4'],
      [6, '07', undefined],
    ]);
    expect(inside[2]).toMatchObject({ isCut: true, isDirty: true });
    expect(inside[3]).toMatchObject({ isCut: false, isDirty: false });
  });

  it('a bad place says nothing about the others', async () => {
    const { size, read } = fileSystem('gpt.raw');
    const { table } = await readContents(read, size);
    const start = table?.partitions[1]?.start ?? 0;
    const bad = (offset: number, length: number) =>
      offset === start
        ? Promise.reject(
            new ImageError('unreadable-cluster', {
              ...{ guestOffset: offset, hostOffset: 0, length, reason: 'data-unaligned' as const },
            }),
          )
        : read(offset, length);
    const { inside } = await readContents(bad, size);
    expect(inside[1]).toBe('unreadable');
    expect(inside[2]).toMatchObject({ kind: 'swap' });
  });

  it('a boot sector of FAT is no partition table, whatever stands where one would be', async () => {
    const { size, read } = fileSystem('fat16');
    const entry = bytesWith(16, [
      [4, [0x83]],
      [8, word(2048)],
      [12, word(2048)],
    ]);
    const both = async (offset: number, length: number) => {
      const bytes = await read(offset, length);
      if (offset === 0 && length >= 512) bytes.set(entry, 446);
      return bytes;
    };
    const { table, whole } = await readContents(both, size);
    expect(table).toBeUndefined();
    expect(whole?.kind).toBe('fat16');
  });

  it('of 16 TiB: reads little of it', async () => {
    const { size, read } = fileSystem('gpt.raw');
    let bytes = 0;
    await readContents((offset, length) => {
      expect(length).toBeLessThanOrEqual(Math.max(FIRST_BYTES, MORE_BYTES));
      bytes += length;
      return read(offset, length);
    }, size);
    expect(bytes).toBeLessThan(MIB);
    const huge = 16 * 1024 ** 4;
    const { whole } = await readContents(fileSystem('xfs').read, huge);
    expect(whole?.kind).toBe('xfs');
  });
});

describe('damage', () => {
  it('noise in superblocks neither stops nor throws anything', async () => {
    const name = fc.constantFrom(...FILE_SYSTEMS);
    const wounds = fc.array(fc.tuple(fc.nat(511), fc.nat(255)), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(name, fc.nat(20), wounds, async (sample, which, changes) => {
        const { size, read, pieces } = fileSystem(sample);
        const piece = pieces[which % pieces.length];
        for (const [at, value] of changes) if (piece) piece.bytes[at] = value;
        let steps = 0;
        const { whole, inside } = await readContents((offset, length) => {
          steps += 1;
          expect(length).toBeLessThanOrEqual(MIB);
          return read(offset, length);
        }, size);
        expect(steps).toBeLessThan(400);
        for (const one of [whole, ...inside]) {
          if (typeof one !== 'object') continue;
          expect(one.size ?? 0).toBeGreaterThanOrEqual(0);
          expect(Number.isSafeInteger(one.size ?? 0)).toBe(true);
          if (one.used !== undefined) expect(one.used).toBeLessThanOrEqual(one.size ?? 0);
          expect(one.label).not.toMatch(/\p{Cc}/u);
        }
      }),
      { numRuns: 200 },
    );
  });
});
