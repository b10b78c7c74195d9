import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { containerFault } from '../../src/engine/containers/container.ts';
import { detectContainer } from '../../src/engine/containers/detect.ts';
import { openContainer } from '../../src/engine/containers/index.ts';
import { MemoryStorage, type Scratch, type Storage } from '../../src/engine/index.ts';
import {
  buildTar,
  buildZip,
  paxRecords,
  sampleDisk,
  tarMember,
} from '../images/build-containers.ts';
import { memory } from '../images/memory.ts';
// Packed by zstd 1.5, xz 5.4 and bzip2 1.0 from `sampleDisk(3000000)`: `two` and `streams` are halves,
// packed one by one; `blocks` has a block each 500000 bytes, `window` one of 128 KiB to look back.
import packed from '../images/packed-disks.json' with { type: 'json' };

const DISK = sampleDisk(3_000_000);

interface Kept extends Scratch {
  readonly files: MemoryStorage[];
}

function scratch(limit = 2 ** 30): Kept {
  const files: MemoryStorage[] = [];
  return {
    limit,
    files,
    open: () => {
      const file = new MemoryStorage({ name: 'scratch' });
      files.push(file);
      return Promise.resolve(file);
    },
  };
}

async function content(storage: Storage): Promise<Buffer> {
  const bytes = Buffer.alloc(storage.size, 0xee);
  await storage.read(0, bytes);
  return bytes;
}

async function openOnly(bytes: Uint8Array, name: string, own: Scratch = scratch()) {
  const container = await openContainer(await memory(bytes, name));
  const [entry] = container!.entries;
  return { entry: entry!, storage: await container!.open(entry!, own) };
}

const PACKED: [string, Buffer][] = [
  ['disk.gz', gzipSync(DISK)],
  [
    'members.gz',
    Buffer.concat(
      [DISK.subarray(0, 999_999), DISK.subarray(999_999)].map((part) => gzipSync(part)),
    ),
  ],
  ['twins.gz', Buffer.concat([gzipSync(DISK.subarray(0, 5000)), gzipSync(DISK.subarray(5000))])],
  ['padded.gz', Buffer.concat([gzipSync(DISK), Buffer.alloc(5000)])],
  ...Object.entries(packed).map(([name, text]): [string, Buffer] => [
    `disk.raw.${name}`,
    Buffer.from(text, 'base64'),
  ]),
];

describe('a packed file', () => {
  it.each(PACKED)('%s is read from the front, backwards and in its middle', async (name, bytes) => {
    const whole = await openOnly(bytes, name);
    expect(whole.storage.size).toBe(DISK.length);
    expect((await content(whole.storage)).equals(DISK)).toBe(true);
    const { storage } = await openOnly(bytes, name);
    for (const at of [2_999_990, 1_499_000, 0, 700_000, 2_400_000]) {
      const piece = Buffer.alloc(10_000, 0xee);
      const read = await storage.read(at, piece);
      expect(piece.subarray(0, read).equals(DISK.subarray(at, at + 10_000)), `at ${at}`).toBe(true);
    }
    expect((await content(storage)).equals(DISK)).toBe(true);
  });

  it('keeps no zeros', async () => {
    const own = scratch();
    const zeros = Buffer.alloc(4_000_000);
    zeros.write('here', 1_000_000);
    const { storage } = await openOnly(gzipSync(zeros), 'zeros.gz', own);
    expect((await content(storage)).equals(zeros)).toBe(true);
    expect(own.files[0]!.size).toBeLessThan(1_300_000);
    await storage.close();
  });

  it('is unpacked only as far as it is read where its size is known', async () => {
    const own = scratch();
    const { storage } = await openOnly(Buffer.from(packed['blocks.xz'], 'base64'), 'b.xz', own);
    await storage.read(2_600_000, Buffer.alloc(100));
    await storage.read(0, Buffer.alloc(100));
    expect(own.files[0]!.size).toBeGreaterThan(0);
    expect((await content(storage)).equals(DISK)).toBe(true);
  });

  it.each([
    ['disk.img.gz', gzipSync(DISK), 'disk.img'],
    ['backup.tgz', gzipSync(DISK), 'backup.tar'],
    ['download', named(gzipSync(DISK), 'folder/vm.qcow2'), 'vm.qcow2'],
    ['plain', gzipSync(DISK), 'plain'],
    ['x.vmdk.BZ2', Buffer.from(packed['one.bz2'], 'base64'), 'x.vmdk'],
  ])('%s is called what it was before', async (name, bytes, expected) => {
    const { entry } = await openOnly(bytes, name);
    expect(entry.name).toBe(expected);
  });

  it.each([
    ['the end missing', gzipSync(DISK).subarray(0, -3000), 'cut-off'],
    ['the trailer missing', gzipSync(DISK).subarray(0, -8), 'cut-off'],
    ['a checksum wrong', changed(gzipSync(DISK), -7), 'checksum'],
    ['a size wrong', changed(gzipSync(DISK), -2), 'checksum'],
    [
      'a zst without its end',
      Buffer.from(packed['unsized.zst'], 'base64').subarray(0, -900),
      'cut-off',
    ],
    [
      'a zst with a wrong checksum',
      changed(Buffer.from(packed['unsized.zst'], 'base64'), -1),
      'checksum',
    ],
    [
      'a bz2 without its end',
      Buffer.from(packed['one.bz2'], 'base64').subarray(0, -900),
      /cut-off|damaged/,
    ],
    ['an xz without its end', Buffer.from(packed['one.xz'], 'base64').subarray(0, -900), 'cut-off'],
  ])('%s is said', async (_, bytes, problem) => {
    await expect(openOnly(bytes, 'x')).rejects.toMatchObject({
      code: 'container-invalid',
      details: { problem: expect.stringMatching(problem) as unknown },
    });
  });

  it('of a known size gives what comes before the damage, and no more', async () => {
    const bytes = changed(Buffer.from(packed['one.zst'], 'base64'), -1);
    const { storage } = await openOnly(bytes, 'x.zst');
    const first = Buffer.alloc(5000);
    await storage.read(0, first);
    expect(first.equals(DISK.subarray(0, 5000))).toBe(true);
    for (let i = 0; i < 2; i++) {
      const read = storage.read(DISK.length - 10, Buffer.alloc(10));
      await expect(read).rejects.toMatchObject({ details: { problem: 'checksum' } });
    }
  });

  it('takes no more room than it is given', async () => {
    const noisy = Buffer.alloc(3_000_000, 'abc');
    await expect(openOnly(gzipSync(noisy), 'x.gz', scratch(1_000_000))).rejects.toMatchObject({
      details: { problem: 'room' },
    });
  });

  it('is stopped, and goes on when it is asked again', async () => {
    const stop = new AbortController();
    const watch: NonNullable<Scratch['watch']> = { signal: stop.signal };
    const { storage } = await openOnly(Buffer.from(packed['one.zst'], 'base64'), 'x.zst', {
      ...scratch(),
      watch,
    });
    stop.abort();
    await expect(content(storage)).rejects.toMatchObject({ code: 'cancelled' });
    watch.signal = undefined;
    expect((await content(storage)).equals(DISK)).toBe(true);
  });
});

function changed(bytes: Uint8Array, at: number): Buffer {
  const copy = Buffer.from(bytes);
  const index = at < 0 ? copy.length + at : at;
  copy[index] = (copy[index] ?? 0) ^ 0x40;
  return copy;
}

/** Puts the name of its content into the header of a gzip file. */
function named(bytes: Buffer, name: string): Buffer {
  const header = Buffer.from(bytes.subarray(0, 10));
  header[3] = 8;
  return Buffer.concat([header, Buffer.from(`${name}\0`), bytes.subarray(10)]);
}

describe('tar', () => {
  const small = DISK.subarray(0, 100_001);
  const long = `${'folder/'.repeat(30)}disk.img`;

  async function filesOf(bytes: Buffer) {
    const container = await openContainer(await memory(bytes, 'x.tar'));
    const files: [string, Buffer][] = [];
    for (const entry of container!.entries) {
      files.push([entry.name, await content(await container!.open(entry, scratch()))]);
    }
    return files;
  }

  it('has its files where they lie, without folders, links and devices', async () => {
    const files = await filesOf(
      buildTar([
        { name: 'folder/', data: Buffer.alloc(0), type: '5' },
        { name: 'folder/a.img', data: small },
        { name: 'link', data: Buffer.alloc(0), type: '2' },
        { name: 'empty', data: Buffer.alloc(0) },
        { name: 'b.img', data: DISK, magic: 'gnu' },
      ]),
    );
    expect(files.map(([name]) => name)).toEqual(['folder/a.img', 'empty', 'b.img']);
    expect(files[0]![1].equals(small)).toBe(true);
    expect(files[2]![1].equals(DISK)).toBe(true);
  });

  it('has long names in each of three ways', async () => {
    const gnu = [
      { name: '././@LongLink', data: Buffer.from(`${long}\0`), type: 'L', magic: 'gnu' as const },
      { name: long, data: small, magic: 'gnu' as const },
    ];
    const pax = [
      {
        name: 'pax',
        data: paxRecords([
          ['mtime', '1.5'],
          ['path', long],
        ]),
        type: 'x',
      },
      { name: 'short', data: small },
    ];
    const prefixed = {
      name: 'disk.img',
      data: small,
      edit: (header: Buffer) => header.write('folder/'.repeat(20).slice(0, -1), 345),
    };
    const files = await filesOf(buildTar([...gnu, ...pax, prefixed]));
    const [first, second, third] = files.map(([name]) => name);
    expect([first, second]).toEqual([long, long]);
    expect(third).toBe(`${'folder/'.repeat(20)}disk.img`);
    for (const [, bytes] of files) expect(bytes.equals(small)).toBe(true);
  });

  it('takes the size of pax and numbers in binary', async () => {
    const binary = {
      ...{ name: 'b', data: small },
      edit: (header: Buffer) => {
        header.fill(0, 124, 136);
        header[124] = 0x80;
        header.writeUInt32BE(small.length, 132);
      },
    };
    const pax = [
      { name: 'pax', data: paxRecords([['size', String(small.length)]]), type: 'x' },
      { name: 'c', data: small, size: 0 },
    ];
    const files = await filesOf(buildTar([binary, ...pax]));
    expect(files.map(([name, bytes]) => [name, bytes.equals(small)])).toEqual([
      ['b', true],
      ['c', true],
    ]);
  });

  const pieces = [
    [4096, 512],
    [20_000, 1000],
    [99_000, 1001],
  ] as const;
  const stored = Buffer.concat(pieces.map(([at, length]) => small.subarray(at, at + length)));
  const sparse = Buffer.alloc(small.length);
  for (const [at, length] of pieces) small.copy(sparse, at, at, at + length);

  it.each([
    [
      'old GNU',
      buildTar([
        {
          ...{ name: 's', data: stored, type: 'S', magic: 'gnu' },
          edit: (header) => {
            pieces.forEach(([at, length], index) => {
              header.write(`${at.toString(8).padStart(11, '0')}\0`, 386 + index * 24);
              header.write(`${length.toString(8).padStart(11, '0')}\0`, 398 + index * 24);
            });
            header.write(`${small.length.toString(8).padStart(11, '0')}\0`, 483);
          },
        },
      ]),
    ],
    [
      'pax 0.0',
      sparsePax(
        [
          ['GNU.sparse.size', String(small.length)],
          ['GNU.sparse.numblocks', '3'],
          ...pieces.flatMap(([at, length]): [string, string][] => [
            ['GNU.sparse.offset', String(at)],
            ['GNU.sparse.numbytes', String(length)],
          ]),
        ],
        stored,
      ),
    ],
    [
      'pax 0.1',
      sparsePax(
        [
          ['GNU.sparse.size', String(small.length)],
          ['GNU.sparse.map', pieces.flat().join(',')],
        ],
        stored,
      ),
    ],
    [
      'pax 1.0',
      sparsePax(
        [
          ['GNU.sparse.major', '1'],
          ['GNU.sparse.minor', '0'],
          ['GNU.sparse.realsize', String(small.length)],
          ['GNU.sparse.name', 's'],
        ],
        Buffer.concat([map(), stored]),
      ),
    ],
  ] as [string, Buffer][])('has sparse files in the way of %s', async (_, bytes) => {
    const [file] = await filesOf(bytes);
    expect(file![0]).toBe('s');
    expect(file![1].equals(sparse)).toBe(true);
  });

  function sparsePax(records: [string, string][], data: Buffer): Buffer {
    return buildTar([
      { name: 'pax', data: paxRecords(records), type: 'x' },
      { name: 's', data },
    ]);
  }

  function map(): Buffer {
    const bytes = Buffer.alloc(512);
    bytes.write(`3\n${pieces.flat().join('\n')}\n`);
    return bytes;
  }

  it('without its end says which file is not whole', async () => {
    const bytes = buildTar([
      { name: 'a.img', data: small },
      { name: 'b.img', data: small },
    ]);
    const container = await openContainer(await memory(bytes.subarray(0, 150_000), 'x.tar'));
    expect(container!.entries.map(({ refusal }) => refusal)).toEqual([undefined, 'cut-off']);
    await expect(container!.open(container!.entries[1]!, scratch())).rejects.toMatchObject({
      details: { problem: 'cut-off', entry: 'b.img' },
    });
  });

  it('is none without the right checksum', () => {
    const member = tarMember({ name: 'a', data: small });
    expect(detectContainer(member.subarray(0, 512), member.length)).toBe('tar');
    expect(detectContainer(changed(member, 3).subarray(0, 512), member.length)).toBeUndefined();
  });
});

describe('zip', () => {
  it.each([
    ['plain', {}],
    ['of 64 bits', { long: true }],
    ['with bytes before it', { before: 4000 }],
    ['of 64 bits with bytes before it', { before: 4000, long: true }],
  ])('%s has stored and packed files', async (_, options) => {
    const bytes = buildZip(
      [
        { name: 'folder/', data: Buffer.alloc(0), method: 0 },
        { name: 'folder/a.raw', data: DISK, method: 0 },
        { name: 'b.raw', data: DISK },
        { name: 'c.raw', data: DISK, method: 93, packed: Buffer.from(packed['one.zst'], 'base64') },
        { name: 'd.raw', data: DISK, method: 12, packed: Buffer.from(packed['one.bz2'], 'base64') },
        { name: 'e.raw', data: DISK, method: 95, packed: Buffer.from(packed['one.xz'], 'base64') },
      ],
      options,
    );
    if ('before' in options) bytes.write('PK\u0003\u0004');
    const container = await openContainer(await memory(bytes, 'x.zip'));
    expect(container!.entries.map(({ name }) => name)).toEqual([
      'folder/a.raw',
      ...'bcde'.split('').map((name) => `${name}.raw`),
    ]);
    for (const entry of container!.entries) {
      expect(entry).toMatchObject({ size: DISK.length, isLikelyDisk: true });
      const storage = await container!.open(entry, scratch());
      expect((await content(storage)).equals(DISK), entry.name).toBe(true);
    }
  });

  it('says what is encrypted, unknown or not what its checksum says', async () => {
    const wrong = buildZip([{ name: 'a', data: DISK }]);
    const at = wrong.length - 22 - 47 + 16;
    wrong[at] = (wrong[at] ?? 0) ^ 1;
    for (const [bytes, problem] of [
      [buildZip([{ name: 'a', data: DISK, flags: 1 }]), 'encrypted'],
      [buildZip([{ name: 'a', data: DISK, method: 99 }]), 'encrypted'],
      [buildZip([{ name: 'a', data: DISK, method: 9 }]), 'method'],
      [wrong, 'checksum'],
    ] as const) {
      const container = await openContainer(await memory(bytes, 'x.zip'));
      const [entry] = container!.entries;
      const reading = container!.open(entry!, scratch()).then(content);
      await expect(reading).rejects.toMatchObject({ details: { problem, entry: 'a' } });
    }
  });

  it('without its directory is cut off', async () => {
    const bytes = buildZip([{ name: 'a', data: DISK, method: 0 }]).subarray(0, 2_000_000);
    await expect(openContainer(await memory(bytes, 'x.zip'))).rejects.toMatchObject(
      containerFault({ name: 'x.zip', container: 'zip' }, 'cut-off'),
    );
  });
});
