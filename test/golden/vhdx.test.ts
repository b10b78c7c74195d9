/** VHDX as the real qemu-img makes it, reads it and judges it. */
import { createHash } from 'node:crypto';
import {
  closeSync,
  ftruncateSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildVhdx, LOG_GUID, maskVhdx, sealAt, VHDX_LAYOUT } from '../images/build-vhdx.ts';
import { noise } from '../images/noise.ts';
import { available, expectSame, make, qemuImg, qemuIo } from './programs.ts';
import { both, enterFolder, fork, leaveFolder } from './side-by-side.ts';

const MIB = 1024 * 1024;
const KIB64 = 64 * 1024;

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Both files are the same but for what is made up at random, and their checksums are right. */
function expectSameBytes(name: string): void {
  const [real, own] = ['real', 'own'].map((side) => maskVhdx(readFileSync(`${side}/${name}`)));
  expect(real!.areSumsRight && own!.areSumsRight).toBe(true);
  expect(own!.step).toBe(real!.step);
  expect(own!.bytes.length).toBe(real!.bytes.length);
  expect(Buffer.compare(own!.bytes, real!.bytes), name).toBe(0);
}

/** A disk with content here and there. */
function writeRaw(name: string, size: number, places: readonly [offset: number, length: number][]) {
  const file = openSync(name, 'w');
  ftruncateSync(file, size);
  for (const [index, [offset, length]] of places.entries()) {
    const bytes = noise(index, Math.min(length, size - offset));
    writeSync(file, bytes, 0, bytes.length, offset);
  }
  closeSync(file);
}

describe.skipIf(!available)('VHDX', () => {
  beforeAll(() => {
    enterFolder('vhdx');
  });
  afterAll(() => {
    leaveFolder();
  });

  describe('create', () => {
    it.each([
      ['20M', ''],
      ['0', 'log_size=1M,block_size=1M'],
      ['1000', 'block_size=1M'],
      ['3G', ''],
      ['101G', 'log_size=3000000,block_size=0'],
      ['8193M', 'block_size=1M'],
      ['33T', ''],
      ['20M', 'subformat=fixed'],
      ['21M', 'subformat=fixed,block_state_zero=off,block_size=2M'],
      ['20M', 'block_state_zero=off,block_size=4100000'],
      ['20M', 'block_size=1G,subformat=dynamic'],
    ])('%s %s', async (size, options) => {
      fork();
      const more = options === '' ? [] : ['-o', options];
      await both(['create', '-f', 'vhdx', ...more, 'new.vhdx', size]);
      expectSameBytes('new.vhdx');
    });

    it.each([
      ['1M', 'subformat=both'],
      ['1M', 'block_size=5M'],
      ['1M', 'log_size=5G'],
      ['1M', 'log_size=0'],
      ['65T', ''],
      ['1M', 'preallocation=metadata'],
      ['1M', 'cluster_size=1M'],
    ])('refuses %s %s', async (size, options) => {
      fork();
      const more = options === '' ? [] : ['-o', options];
      const { exitCode } = await both(['create', '-f', 'vhdx', ...more, 'bad.vhdx', size]);
      expect(exitCode).toBe(1);
    });
  });

  describe('convert to it', () => {
    it.each([
      ['', 21 * MIB + 512],
      ['block_size=1M', 21 * MIB + 512],
      ['subformat=fixed', 9 * MIB],
      ['subformat=fixed,block_state_zero=off,block_size=2M', 9 * MIB + 1024],
      ['log_size=2M,block_state_zero=off', 9 * MIB],
    ])('%s', async (options, size) => {
      writeRaw('disk.raw', size, [
        [3 * MIB + 4096, 70_000],
        [5 * MIB - 8192, 2 * MIB],
        [size - 512, 512],
      ]);
      fork('disk.raw');
      const more = options === '' ? [] : ['-o', options];
      await both(['convert', '-O', 'vhdx', ...more, 'disk.raw', 'disk.vhdx']);
      expectSameBytes('disk.vhdx');
      await both(['check', 'disk.vhdx']);
      await both(['compare', 'disk.raw', 'disk.vhdx']);
      await both(['convert', '-O', 'raw', 'disk.vhdx', 'back.raw']);
      expect(digest(readFileSync('own/back.raw'))).toBe(digest(readFileSync('disk.raw')));
      expect((await qemuImg(['compare', 'real/disk.vhdx', 'own/disk.vhdx'])).exitCode).toBe(0);
    });

    it('goes round its log', async () => {
      const places = Array.from(
        { length: 133 },
        (_, index) => [index * MIB + 512 * index, 512] as const,
      );
      writeRaw(
        'disk.raw',
        133 * MIB,
        places.map(([offset, length]) => [offset, length]),
      );
      fork('disk.raw');
      await both(['convert', '-O', 'vhdx', '-o', 'block_size=1M', 'disk.raw', 'disk.vhdx']);
      expectSameBytes('disk.vhdx');
    });
  });

  it('is described, mapped and measured', async () => {
    await make('qemu-img', ['create', '-f', 'vhdx', 'shown.vhdx', '300M']);
    await make('qemu-io', ['-f', 'vhdx', '-c', 'write -P 7 9M 64k', 'shown.vhdx']);
    for (const args of [
      ['info', 'shown.vhdx'],
      ['info', '--output=json', 'shown.vhdx'],
      ['info', '-f', 'vhdx', 'shown.vhdx'],
      ['map', 'shown.vhdx'],
      ['map', '--output=json', 'shown.vhdx'],
      ['check', 'shown.vhdx'],
      ['check', '--output=json', 'shown.vhdx'],
      ['measure', '-O', 'raw', 'shown.vhdx'],
      ['resize', 'shown.vhdx', '400M'],
    ]) {
      await expectSame(args);
    }
  });

  it('is written in place', async () => {
    await make('qemu-img', ['create', '-f', 'vhdx', '-o', 'block_size=2M', 'target.vhdx', '12M']);
    await make('qemu-io', ['-f', 'vhdx', '-c', 'write -P 7 3M 2M', 'target.vhdx']);
    writeRaw('source.raw', 12 * MIB, [
      [0, 4096],
      [4 * MIB, 3 * MIB],
      [11 * MIB, 512],
    ]);
    fork('target.vhdx', 'source.raw');
    const dd = [
      'dd',
      '-f',
      'raw',
      '-O',
      'raw',
      'bs=1M',
      'count=1',
      'if=source.raw',
      'of=piece.raw',
    ];
    await both(dd);
    await both(['convert', '-n', '-O', 'vhdx', 'source.raw', 'target.vhdx']);
    for (const side of ['real', 'own']) {
      const compared = await qemuImg(['compare', 'source.raw', `${side}/target.vhdx`]);
      expect(compared.stdout, side).toBe('Images are identical.\n');
    }
    expect((await qemuImg(['check', 'own/target.vhdx'])).exitCode).toBe(0);
  });

  it('takes a commit', async () => {
    await make('qemu-img', ['create', '-f', 'vhdx', 'base.vhdx', '12M']);
    await make('qemu-img', ['create', '-f', 'qcow2', '-b', 'base.vhdx', '-F', 'vhdx', 'top.qcow2']);
    await make('qemu-io', ['-f', 'qcow2', '-c', 'write -P 9 9M 64k', 'top.qcow2']);
    fork('base.vhdx', 'top.qcow2');
    await both(['commit', 'top.qcow2']);
    expectSameBytes('base.vhdx');
    const read = await qemuIo(['-f', 'vhdx', '-c', 'read -P 9 9M 64k', 'own/base.vhdx']);
    expect(read.stdout).not.toContain('failed');
  });

  describe('with a log that was not replayed', () => {
    const { BAT_AT, DATA_AT } = VHDX_LAYOUT;
    /** The table of an image of which the first block is there, which only the log knows. */
    function table(): Uint8Array {
      const sector = new Uint8Array(4096);
      new DataView(sector.buffer).setBigUint64(0, BigInt(DATA_AT) | 6n, true);
      return sector;
    }
    function image(): Uint8Array {
      const bytes = buildVhdx({
        size: 8 * MIB,
        blocks: new Map([[0, { state: 6, bytes: noise(5, 2 * MIB) }]]),
        log: {
          guid: LOG_GUID,
          entries: [{ at: 8192, sequence: 41, writes: [{ offset: BAT_AT, bytes: table() }] }],
        },
      });
      bytes.fill(0, BAT_AT, BAT_AT + 8);
      return bytes;
    }

    it.each([
      ['info', 'dirty.vhdx'],
      ['check', 'dirty.vhdx'],
      ['map', 'dirty.vhdx'],
      ['convert', '-O', 'raw', 'dirty.vhdx', 'out.raw'],
      ['compare', 'dirty.vhdx', 'dirty.vhdx'],
    ])('refuses %s %s', async (...args) => {
      writeFileSync('dirty.vhdx', image());
      const { stderr } = await expectSame(args);
      expect(stderr).toContain('contains a log that needs to be replayed');
    });

    it('refuses an entry that was only written in part', async () => {
      const bytes = image();
      bytes[MIB + 8192 + 64 + 24]! ^= 1;
      sealAt(bytes, MIB + 8192, 8192);
      writeFileSync('torn.vhdx', bytes);
      const { stderr } = await expectSame(['info', 'torn.vhdx']);
      expect(stderr).toContain('Invalid argument');
    });

    it.each(['all', 'leaks'])('is repaired by -r %s', async (level) => {
      writeFileSync('dirty.vhdx', image());
      fork('dirty.vhdx');
      const { stdout } = await both(['check', '-r', level, 'dirty.vhdx']);
      expect(stdout).toContain('1 corruptions');
      expectSameBytes('dirty.vhdx');
      await both(['check', '-r', level, 'dirty.vhdx']);
      await both(['check', '--output=json', '-r', level, 'dirty.vhdx']);
      await both(['convert', '-O', 'raw', 'dirty.vhdx', 'out.raw']);
      const bytes = readFileSync('own/out.raw');
      expect(digest(bytes.subarray(0, 2 * MIB))).toBe(digest(noise(5, 2 * MIB)));
    });

    it('is replayed before it is written into', async () => {
      writeFileSync('dirty.vhdx', image());
      writeRaw('source.raw', 8 * MIB, [[3 * MIB, 4096]]);
      fork('dirty.vhdx', 'source.raw');
      await both(['convert', '-n', '-O', 'vhdx', 'source.raw', 'dirty.vhdx']);
      const compared = await qemuImg(['compare', 'source.raw', 'own/dirty.vhdx']);
      expect(compared.stdout).toBe('Images are identical.\n');
    });
  });

  describe('damaged', () => {
    const set = (at: number, value: number | bigint, width: 2 | 4 | 8) => (bytes: Uint8Array) => {
      const view = new DataView(bytes.buffer);
      if (width === 2) view.setUint16(at, Number(value), true);
      else if (width === 4) view.setUint32(at, Number(value), true);
      else view.setBigUint64(at, BigInt(value), true);
    };
    const REGIONS = 3 * KIB64;
    const { BAT_AT, DATA_AT, METADATA_AT } = VHDX_LAYOUT;
    const flip = (at: number) => (bytes: Uint8Array) => {
      bytes[at]! ^= 0xff;
    };
    type Damage = (bytes: Uint8Array) => void;
    const cases: [name: string, ...damages: Damage[]][] = [
      ['one header', flip(KIB64 + 100)],
      ['both headers', flip(KIB64 + 100), flip(2 * KIB64 + 100)],
      ['equal numbers', set(KIB64 + 8, 101, 8), (bytes) => sealAt(bytes, KIB64, 4096)],
      ['version', set(KIB64 + 66, 2, 2), set(2 * KIB64 + 66, 2, 2)],
      ['log version', set(2 * KIB64 + 64, 2, 2), (bytes) => sealAt(bytes, 2 * KIB64, 4096)],
      ['log place', set(2 * KIB64 + 72, 4096, 8), (bytes) => sealAt(bytes, 2 * KIB64, 4096)],
      ['region table', flip(REGIONS + 9)],
      ['region overlap', set(REGIONS + 32, BAT_AT - MIB, 8)],
      ['region twice', (bytes) => bytes.copyWithin(REGIONS + 48, REGIONS + 16, REGIONS + 32)],
      ['region unknown', flip(REGIONS + 48)],
      ['regions too many', set(REGIONS + 8, 3000, 4)],
      ['no regions', set(REGIONS + 8, 0, 4)],
      ['metadata signature', flip(METADATA_AT)],
      ['metadata too many', set(METADATA_AT + 10, 2048, 2)],
      ['metadata too few', set(METADATA_AT + 10, 4, 2)],
      ['metadata unknown', flip(METADATA_AT + 32)],
      ['block size', set(METADATA_AT + KIB64, 3 * MIB, 4)],
      ['block size small', set(METADATA_AT + KIB64, 512, 4)],
      ['parent flag', set(METADATA_AT + KIB64 + 4, 2, 4)],
      ['sectors of 4096', set(METADATA_AT + KIB64 + 32, 4096, 4)],
      ['odd size', set(METADATA_AT + KIB64 + 8, 5_000_001, 8)],
      ['too large for its table', set(METADATA_AT + KIB64 + 8, 2 ** 40, 8)],
      ['block behind the end', set(BAT_AT, (1n << 40n) | 6n, 8)],
      ['block far behind the end', set(BAT_AT, 0xfffffffffff00006n, 8)],
      ['last block cut', set(BAT_AT + 8, BigInt(DATA_AT + 3 * MIB) | 6n, 8)],
      ['block over the log', set(BAT_AT + 8, BigInt(MIB) | 6n, 8)],
      ['block over two regions', set(BAT_AT + 8, BigInt(2 * MIB) | 6n, 8), set(BAT_AT, 6n, 8)],
      ['unknown state', set(BAT_AT + 16, 4, 8)],
      ['partial block', set(BAT_AT + 16, 7, 8)],
    ];

    it.each(cases)('%s', async (name, ...damages) => {
      const blocks = new Map([
        [0, { state: 6, bytes: noise(1, 2 * MIB) }],
        [1, { state: 6, bytes: noise(2, 2 * MIB) }],
      ]);
      const bytes = buildVhdx({ size: 8 * MIB, blocks });
      for (const damage of damages) damage(bytes);
      if (name !== 'region table') sealAt(bytes, REGIONS, KIB64);
      writeFileSync('damaged.vhdx', bytes);
      await expectSame(['info', 'damaged.vhdx']);
      await expectSame(['check', 'damaged.vhdx']);
    });
  });

  it('refuses differencing images as the real program does', async () => {
    const parent = { parent_linkage: '{x}', relative_path: '.\\base.vhdx' };
    writeFileSync('child.vhdx', buildVhdx({ size: 8 * MIB, parent }));
    const { stderr } = await expectSame(['info', 'child.vhdx']);
    expect(stderr).toContain('Operation not supported');
  });
});
