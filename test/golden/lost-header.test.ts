/** Headers that are lost and made anew; the real program says whether the image is what it was. */
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomFor } from '../images/wounds.ts';
import { available, make, ours, qemuImg } from './programs.ts';

let folder = '';
const path = (name: string) => join(folder, name);

beforeAll(() => {
  if (available) folder = mkdtempSync(join(tmpdir(), 'lost-header-'));
});

afterAll(() => {
  if (folder !== '') rmSync(folder, { recursive: true });
});

interface Sample {
  readonly name: string;
  readonly options: string;
  readonly size: string;
  readonly writes: readonly string[];
}

const FEW = ['write -P 17 0 256k', 'write -P 34 3M 64k', 'write -z 1M 128k'];
const SAMPLES: readonly Sample[] = [
  { name: '512', options: 'cluster_size=512', size: '8M', writes: FEW },
  { name: '4k', options: 'cluster_size=4k', size: '8M', writes: FEW },
  { name: '64k', options: 'cluster_size=64k', size: '8M', writes: FEW },
  { name: '2M', options: 'cluster_size=2M', size: '64M', writes: FEW },
  { name: '1 bit', options: 'refcount_bits=1', size: '8M', writes: FEW },
  { name: '64 bits', options: 'refcount_bits=64,cluster_size=4k', size: '8M', writes: FEW },
  { name: 'extended L2', options: 'extended_l2=on', size: '8M', writes: [...FEW, 'write 5M 2k'] },
  {
    name: 'compressed',
    options: 'cluster_size=64k',
    size: '8M',
    writes: ['write -c -P 17 0 64k', 'write -c -P 34 64k 64k', 'write -P 51 2M 64k'],
  },
  {
    name: 'zstd',
    options: 'compression_type=zstd',
    size: '8M',
    writes: ['write -c -P 17 0 64k', 'write -c -P 34 64k 64k', 'write -P 51 2M 64k'],
  },
  { name: 'version 2', options: 'compat=0.10', size: '8M', writes: ['write -P 17 0 256k'] },
  { name: 'empty', options: 'cluster_size=64k', size: '8M', writes: [] },
  {
    name: 'far',
    options: 'cluster_size=64k',
    size: '2G',
    writes: ['write -P 17 120M 256k', 'write -P 34 1500M 64k'],
  },
  {
    name: 'grown table',
    options: 'cluster_size=512',
    size: '128M',
    writes: ['write -P 17 100M 12M', 'write -P 34 0 64k'],
  },
];

async function makeSample({ name, options, size, writes }: Sample): Promise<string> {
  const image = path(`${name.replace(' ', '-')}.qcow2`);
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, image, size]);
  const commands = writes.flatMap((command) => ['-c', command]);
  if (commands.length > 0) await make('qemu-io', [...commands, image]);
  return image;
}

type Loss = (bytes: Buffer, clusterSize: number) => void;
const LOSSES: readonly (readonly [string, Loss])[] = [
  ['zeros', (bytes, clusterSize) => void bytes.fill(0, 0, clusterSize)],
  ['magic', (bytes) => void bytes.write('ABCD', 0)],
  [
    'noise',
    (bytes) => {
      const random = randomFor(7);
      for (let at = 0; at < 112; at++) bytes[at] = random(256);
    },
  ],
];

async function check(image: string) {
  return (await qemuImg(['check', '-f', 'qcow2', image])).exitCode;
}

/** Byte for byte; the longer one has zeros behind the end of the other. */
async function expectAlike(image: string, original: string) {
  const args = ['compare', '-f', 'qcow2', '-F', 'qcow2', image, original];
  const { exitCode, stdout, stderr } = await qemuImg(args);
  expect(`${String(exitCode)} ${stderr}`, stdout).toBe('0 ');
}

describe.skipIf(!available)('a lost header', () => {
  it.each(SAMPLES.map((sample) => [sample.name, sample] as const))('%s', async (_, sample) => {
    const original = await makeSample(sample);
    const sound = readFileSync(original);
    const image = path('lost.qcow2');
    for (const [name, lose] of LOSSES) {
      const bytes = Buffer.from(sound);
      lose(bytes, 2 ** sound.readUInt32BE(20));
      writeFileSync(image, bytes);
      const { stderr } = await ours([
        'check',
        '-q',
        '-f',
        'qcow2',
        '-r',
        'all',
        '--recover',
        image,
      ]);
      expect(await check(image), `${name}: ${stderr}`).toBe(0);
      await expectAlike(image, original);
    }
  });

  it('with a snapshot', async () => {
    const original = await makeSample({ ...SAMPLES[1]!, name: 'snapshot' });
    await make('qemu-img', ['snapshot', '-c', 'first', original]);
    await make('qemu-io', ['-c', 'write -P 85 0 64k', original]);
    const bytes = readFileSync(original);
    const image = path('lost.qcow2');
    writeFileSync(image, bytes.fill(0, 0, 4096));
    const { stderr } = await ours(['check', '-q', '-f', 'qcow2', '-r', 'all', '--recover', image]);
    expect(await check(image), stderr).toBe(0);
    await expectAlike(image, original);
    const list = await qemuImg(['snapshot', '-l', image]);
    expect(list.stdout).toContain('first');
  });

  it('of which the tables can be read in two ways is not guessed', async () => {
    const options = 'preallocation=metadata,extended_l2=on';
    const writes = ['write -P 4 1M 2k'];
    const image = await makeSample({ name: 'two ways', options, size: '64M', writes });
    const lost = readFileSync(image).fill(0, 0, 65536);
    writeFileSync(image, lost);
    const { exitCode } = await ours(['check', '-f', 'qcow2', '-r', 'all', '--recover', image]);
    expect(exitCode).toBe(1);
    expect(readFileSync(image).equals(lost)).toBe(true);
  });

  it('of which only the cluster size is wrong is not taken by its word', async () => {
    const image = path('bits.qcow2');
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', image, '64M']);
    await make('qemu-io', ['-c', 'write -P 5 0 10M', image]);
    const sound = path('bits-sound.qcow2');
    copyFileSync(image, sound);
    const bytes = readFileSync(image);
    bytes.writeUInt32BE(12, 20);
    writeFileSync(image, bytes);
    // With clusters of 4 KiB every table would be taken for something else.
    const { exitCode } = await ours(['check', '-f', 'qcow2', '-r', 'all', image]);
    expect(exitCode).toBe(1);
    expect(readFileSync(image).equals(bytes)).toBe(true);
    await ours(['check', '-q', '-f', 'qcow2', '-r', 'all', '--recover', image]);
    expect((await qemuImg(['check', image])).exitCode).toBe(0);
    expect((await qemuImg(['compare', sound, image])).stdout).toBe('Images are identical.\n');
  });

  it('gets the size that a partition table needs', async () => {
    const raw = Buffer.alloc(1 << 20);
    raw.set([0x80, 0, 0, 0, 0x83, 0, 0, 0, 8, 0, 0, 0, 0, 0, 4, 0], 446);
    raw.set([0x55, 0xaa], 510);
    writeFileSync(path('mbr.raw'), raw);
    const image = path('mbr.qcow2');
    await make('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', path('mbr.raw'), image]);
    await make('qemu-img', ['resize', '-q', image, '200M']);
    writeFileSync(image, readFileSync(image).fill(0, 0, 65536));
    await ours(['check', '-q', '-f', 'qcow2', '-r', 'all', '--recover', image]);
    const { stdout } = await qemuImg(['info', '--output=json', image]);
    expect(stdout).toContain('"virtual-size": 134221824');
  });

  it('is shown as a plan that writes nothing, and only when asked for', async () => {
    const original = await makeSample({ ...SAMPLES[2]!, name: 'plan' });
    const image = path('lost.qcow2');
    copyFileSync(original, image);
    const lost = readFileSync(original).fill(0, 0, 65536);
    writeFileSync(image, lost);
    const plan = await ours([
      'check',
      '-f',
      'qcow2',
      '-r',
      'all',
      '--repair-plan',
      '--recover',
      image,
    ]);
    expect(plan.stdout).toContain('[guess] header: made anew (version 3, clusters of 65536');
    const { exitCode } = await ours(['check', '-f', 'qcow2', '-r', 'all', image]);
    expect(exitCode).toBe(1);
    expect(readFileSync(image).equals(lost)).toBe(true);
  });
});

describe.skipIf(!available)('what is no qcow2 image', () => {
  const random = randomFor(3);
  const noise = Buffer.from(Uint8Array.from({ length: 1 << 20 }, () => random(256)));
  const disk = Buffer.alloc(1 << 20);
  disk.fill(0x5a, 65536, 524288);
  disk.set([0x80, 0, 0, 0, 0x83, 0, 0, 0, 1, 0, 0, 0, 0xff, 7, 0, 0], 446);
  disk.set([0x55, 0xaa], 510);
  const cases = { noise, zeros: Buffer.alloc(1 << 20), disk, short: noise.subarray(0, 100) };

  it.each(Object.entries(cases))('%s is refused and left alone', async (name, bytes) => {
    const file = path(`${name}.img`);
    writeFileSync(file, bytes);
    const { exitCode, stderr } = await ours([
      'check',
      '-f',
      'qcow2',
      '-r',
      'all',
      '--recover',
      file,
    ]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('there is no evidence of what the header said');
    expect(readFileSync(file).equals(bytes)).toBe(true);
  });

  it('an image whose L1 table is lost as well is refused and left alone', async () => {
    const original = await makeSample({ ...SAMPLES[2]!, name: 'no-l1' });
    const file = path('no-l1.img');
    const sound = readFileSync(original);
    const l1 = Number(sound.readBigUInt64BE(40));
    const bytes = sound.fill(0, l1, l1 + 65536).fill(0, 0, 65536);
    writeFileSync(file, bytes);
    truncateSync(file, bytes.length);
    const { exitCode } = await ours(['check', '-f', 'qcow2', '-r', 'all', '--recover', file]);
    expect(exitCode).toBe(1);
    expect(readFileSync(file).equals(bytes)).toBe(true);
  });
});
