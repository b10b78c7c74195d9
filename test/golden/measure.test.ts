import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeImage, noise, randomNumbers, type ImageSpec } from './make-images.ts';
import { available, expectSame, make, ours, qemuImg, type Outcome } from './programs.ts';
import { Qcow2Editor } from './qcow2-editor.ts';

let folder = '';
const before = process.cwd();

beforeAll(async () => {
  if (!available) return;
  folder = mkdtempSync(join(tmpdir(), 'measure-'));
  process.chdir(folder);
  const create = (name: string, size: string, ...options: string[]) =>
    make('qemu-img', ['create', '-q', '-f', 'qcow2', ...options, name, size]);
  await create('a.qcow2', '4M');
  await make('qemu-io', ['-c', 'write -P 1 0 1M', '-c', 'write -c -P 2 2M 64k', 'a.qcow2']);
  await create('old.qcow2', '4M', '-o', 'compat=0.10');
  await create('on-a.qcow2', '5M', '-b', 'a.qcow2', '-F', 'qcow2');
  await make('qemu-io', ['-c', 'write -z 0 64k', '-c', 'write 4M 1M', 'on-a.qcow2']);
  await create('bitmaps.qcow2', '5M');
  await make('qemu-img', ['bitmap', '--add', 'bitmaps.qcow2', 'one']);
  await make('qemu-img', ['bitmap', '--add', '-g', '512', 'bitmaps.qcow2', 'ü'.repeat(40)]);
  await make('qemu-img', ['bitmap', '--add', '--disable', 'bitmaps.qcow2', 'off']);
  await make('qemu-img', ['snapshot', '-c', 's1', 'bitmaps.qcow2']);
  await make('qemu-io', ['-c', 'write 0 1M', 'bitmaps.qcow2']);
  const broken = new Qcow2Editor('bitmaps.qcow2');
  broken.set('autoclear', 0);
  broken.save('broken-bitmaps.qcow2');
  // As a machine leaves them that is not shut down.
  const inUse = new Qcow2Editor('bitmaps.qcow2');
  const extension = inUse.bytes.indexOf(Buffer.from('23852875', 'hex'));
  const directory = Number(inUse.entry(extension + 8 + 16));
  inUse.bytes.writeUInt32BE(1, directory + 12);
  inUse.save('bitmaps-in-use.qcow2');
  writeFileSync(
    'r.raw',
    noise(10_000, 1).map((byte) => byte | 1),
  );
});

afterAll(() => {
  process.chdir(before);
  if (folder !== '') rmSync(folder, { recursive: true });
});

/** Our help is our own: where the real program prints its, both are taken for the same. */
function withoutHelp(outcome: Outcome): Outcome {
  const isHelp = outcome.stdout.startsWith('qemu-img version');
  return isHelp ? { ...outcome, stdout: 'help' } : outcome;
}

/** The real program derives keys, which fails at random where the processor's clock is coarse. */
async function patient(line: readonly string[]): Promise<Outcome> {
  for (let attempt = 0; ; attempt++) {
    const outcome = await qemuImg(line);
    if (attempt === 50 || !outcome.stderr.includes('CPU usage')) return outcome;
  }
}

async function expectSameMeasure(args: readonly string[]): Promise<void> {
  const line = ['measure', ...args];
  const [real, own] = await Promise.all([patient(line), ours(line)]);
  expect(withoutHelp(own), line.join(' ')).toEqual(withoutHelp(real));
}

/** Arguments, separated by spaces; a pair of quotes stands for an empty one. */
function words(line: string): string[] {
  return line === '' ? [] : line.split(' ').map((word) => (word === "''" ? '' : word));
}

const SAME = [
  '',
  // Wrong options
  ...['--what', '--what=3', '-z', '-f', '--size', '--size 1 -o', '--help=3', '--o json', '--o'],
  ...['a.qcow2 -q', '-p', '-T none', '--size x -z', '-f raw -z', '-Uz', '-zU'],
  '--size=1G --hel',
  '--siz 1G',
  '--size 1 --out=json',
  // The wrong number of operands, or what does not go together
  ...['a.qcow2 r.raw', '--size 1G a.qcow2', '--size 1 a b', '-U', '--size 1 -f raw', '-f raw'],
  ...['--size 1 -l x', '-l x', '--size 1 --image-opts', '--size 1 --image-opts a', '-O qcow2'],
  ...['-o help', '-f x --image-opts a.qcow2', "-f '' --size 1", '-l snapshot.what=1'],
  // One after the other
  ...['--output=xml --size x', '--size x --output=xml', '-o , --size x', '-l x --output=xml a b'],
  ...['--size x --size 1', '--size 1 --size x', '--object x --size y', '-l snapshot.x=1 --size x'],
  // Sizes
  ...['0', '1', '511', '512', '513', '1000', '1.5G', '0x10', '0x1k', '7.9E', '8E', "''", '-1'].map(
    (size) => `--size ${size}`,
  ),
  ...['9223372036854775807', '9223372036854775296', '9223372036854775808'].map(
    (size) => `--size ${size}`,
  ),
  // Names and formats
  ...['nothing', "''", '/', 'strange:x', '-f what a.qcow2', '-O what a.qcow2', '-O what nothing'],
  ...[
    '-O what --size 1',
    "-O '' --size 1",
    '-O vmdk --size 1',
    '-O dmg --size 1',
    '-O nbd a.qcow2',
  ],
  ...['-O quorum --size 1', '-O vmdk -l x a.qcow2', '-U a.qcow2', '-f raw a.qcow2', '-f raw r.raw'],
  ...[
    'r.raw',
    '-O qcow2 r.raw',
    '-O qcow2 -f raw a.qcow2',
    '-O raw a.qcow2',
    '-O raw -o size=5 r.raw',
  ],
  // Snapshots
  ...['-l x a.qcow2', '-l x r.raw', '-l snapshot.id=1 r.raw', "-l '' a.qcow2", '-l x nothing'],
  ...['-O qcow2 -l s1 bitmaps.qcow2', '-O qcow2 -l 1 bitmaps.qcow2', '-O raw -l s1 bitmaps.qcow2'],
  '-O qcow2 -l snapshot.id=1,snapshot.name=s1 bitmaps.qcow2',
  // Bitmaps
  '-O qcow2 bitmaps.qcow2',
  '--output=json -O qcow2 bitmaps.qcow2',
  ...['cluster_size=512', 'cluster_size=2M', 'compat=0.10', 'data_file=x'].map(
    (options) => `-O qcow2 -o ${options} bitmaps.qcow2`,
  ),
  '-O qcow2 -f raw bitmaps.qcow2',
  '-O qcow2 broken-bitmaps.qcow2',
  '-O qcow2 bitmaps-in-use.qcow2',
  '-O qcow2 old.qcow2',
  '-O qcow2 on-a.qcow2',
  '-O qcow2 -o backing_file=a.qcow2,backing_fmt=qcow2 on-a.qcow2',
  '-O qcow2 -o backing_file= on-a.qcow2',
  '--output=json --size 1G',
  '--output=json -O qcow2 a.qcow2',
  '-O qcow2 --image-opts driver=qcow2,file.filename=a.qcow2',
  '-O qcow2 -o x=1 nothing',
  '-O qcow2 -o cluster_size=4k -o cluster_size=8k --size 1G',
  '-O qcow2 -o cluster_size=4k, -o cluster_size=8k --size 1G',
];

/** Behind `-O qcow2 --size 1G -o`. */
const OPTIONS = [
  ...["''", ',', 'a=1', 'help', '?', 'a,,b', '=5', 'a=1,,b', 'cluster-size=4k'],
  ...['1G', 'x', '-1', '1.5', '1b', '', '16E', '8E', '18446744073709551615'].map(
    (v) => `size=${v}`,
  ),
  ...['size', 'nosize', 'size=18446744073709551616', 'size=1G,,x', 'size=0x1k'],
  ...['1.1', '0.10', 'v2', 'v3', 'x', ''].map((v) => `compat=${v}`),
  'compat',
  ...[
    '4k',
    '0',
    '256',
    '512',
    '4M',
    '1000',
    'x',
    '2M',
    '4194304',
    '4294971392',
    '0x1000',
    '1.5k',
  ].map((value) => `cluster_size=${value}`),
  ...['cluster_size', 'cluster_size=1,cluster_size=512', 'cluster_size=x,cluster_size=4k'],
  ...['1', '2', '64', '0', '3', '128', 'x', '-1', '0x10', '010', '09', '0x', '1k', '', '+8'].map(
    (value) => `refcount_bits=${value}`,
  ),
  ...['18446744073709551616', '-18446744073709551608', '-99999999999999999999', '4294967312'].map(
    (value) => `refcount_bits=${value}`,
  ),
  ...['refcount_bits', 'compat=0.10,refcount_bits=8', 'compat=0.10,refcount_bits=16'],
  ...['on', 'off', 'yes', 'n', 'x', '', 'on=off'].map((value) => `extended_l2=${value}`),
  ...['extended_l2', 'noextended_l2', 'extended_l2=on,compat=0.10'],
  ...['512', '8k', '16k', '2M'].map((size) => `extended_l2=on,cluster_size=${size}`),
  ...['off', 'metadata', 'falloc', 'full', 'x', ''].map((value) => `preallocation=${value}`),
  ...['preallocation', 'nopreallocation'],
  ...['lazy_refcounts=on', 'lazy_refcounts=x', 'compat=0.10,lazy_refcounts=on'],
  ...['data_file=x', 'data_file_raw=on', 'data_file_raw=x', 'data_file=x,backing_file=y'],
  ...['backing_file=x', 'backing_file=', 'backing_fmt=y', 'backing_file=x,preallocation=full'],
  ...['compression_type=zstd', 'compression_type=x', 'encryption=on', 'encryption=x'],
  ...['nocow=on', 'nocow=x', 'nocow', 'nonocow', 'extent_size_hint=1M', 'extent_size_hint=x'],
  ...['encrypt.format=aes', 'encrypt.format=x', 'encrypt.format=luks', 'encrypt.what=x'],
  ...['encrypt.key-secret=x', 'encrypt.format=luks,encrypt.key-secret=x', 'encrypt.cipher-alg=x'],
  ...['encrypt.format=luks,encrypt.cipher-alg=x', 'encrypt.iter-time=x', 'encrypt.iter-time=10'],
  // Several things wrong: which is said first
  'cluster_size=1,compat=x,refcount_bits=3,preallocation=y',
  'compat=x,refcount_bits=3,preallocation=y',
  'refcount_bits=3,preallocation=y,encrypt.format=luks',
  'preallocation=y,encrypt.format=luks',
  'encrypt.format=luks,size=9E',
];

describe.skipIf(!available)('measure: the same answer to', () => {
  it.each(SAME)('%s', async (line) => {
    await expectSameMeasure(words(line));
  });

  it.each(OPTIONS)('-o %s', async (options) => {
    const list = options === "''" ? '' : options;
    await expectSameMeasure(['-O', 'qcow2', '--size', '1G', '-o', list]);
  });

  it.each([
    'size=5',
    'preallocation=full',
    'preallocation=x',
    'nocow=x',
    'cluster_size=4k',
    'help',
  ])('-O raw -o %s', async (options) => {
    await expectSameMeasure(['-O', 'raw', '--size', '1000', '-o', options]);
    await expectSameMeasure(['-O', 'raw', '-o', options, 'r.raw']);
  });

  it.each(['8E', '18446744073709551615', '9223372036854775808', '9223372036854775807'])(
    'size=%s although there is a source',
    async (size) => {
      await expectSameMeasure(['-O', 'qcow2', '-o', `size=${size}`, 'a.qcow2']);
    },
  );
});

describe.skipIf(!available)('measure: LUKS', () => {
  const SECRET = ['--object', 'secret,id=s,data=x'];
  /** The real program counts how fast it is, which takes time and does not always succeed. */
  const iterations = 'iter-time=10';

  /** Each takes seconds: the real program derives keys only to see how large they are. */
  const KEYS = [
    ...['cipher-alg=aes-192', 'cipher-alg=aes-128,cipher-mode=cbc'],
    'cipher-alg=cast5-128,cipher-mode=cbc,ivgen-alg=plain',
  ];
  const REFUSED = [
    ...['cipher-alg=des', 'cipher-alg=cast5-128', 'cipher-alg=x', 'cipher-mode=x', 'hash-alg=x'],
    ...[
      'hash-alg=',
      'ivgen-alg=x',
      'ivgen-hash-alg=x',
      'cipher-mode=x,cipher-alg=x',
      'key-secret=',
    ],
    ...['ivgen-alg=essiv,ivgen-hash-alg=sha1', 'key-secret=q', 'iter-time=9223372036854775808'],
    'cipher-alg=cast5-128,cipher-mode=cbc,ivgen-alg=essiv',
    'ivgen-alg=essiv,ivgen-hash-alg=sha1,cipher-alg=serpent-128',
  ];

  function asQcow2(options: string): string {
    const inner = options.split(',').map((item) => `encrypt.${item}`);
    return ['encrypt.format=luks', ...inner].join(',');
  }

  it.each(KEYS)('%s', async (options) => {
    const given = `key-secret=s,${iterations},${options}`;
    await expectSameMeasure([...SECRET, '-O', 'luks', '--size', '1000', '-o', given]);
  });

  it.each(REFUSED)('refused: %s', async (options) => {
    const given = `key-secret=s,${iterations},${options}`;
    await expectSameMeasure([...SECRET, '-O', 'luks', '--size', '1000', '-o', given]);
    await expectSameMeasure([...SECRET, '-O', 'qcow2', '--size', '1', '-o', asQcow2(given)]);
  });

  it.each([
    ['-O', 'luks', 'r.raw'],
    ['-O', 'luks', '-o', 'x=x', 'a.qcow2'],
    ['-O', 'luks', '-o', `key-secret=s,${iterations}`, 'a.qcow2'],
    ['-O', 'luks', '-o', `key-secret=s,${iterations}`, '--size', '9223372036854775807'],
  ])('%s %s %s %s', async (...args) => {
    await expectSameMeasure([...SECRET, ...args]);
  });

  it.each(['cluster_size=512', 'cluster_size=2M,preallocation=full'])(
    'in qcow2 with %s',
    async (more) => {
      const list = `${asQcow2(`key-secret=s,${iterations}`)},${more}`;
      await expectSameMeasure([...SECRET, '-O', 'qcow2', '-o', list, 'a.qcow2']);
    },
  );

  it('refuses keys that the real program does not survive', async () => {
    const options = 'key-secret=s,iter-time=10,cipher-alg=aes-192,cipher-mode=cbc';
    const line = ['measure', ...SECRET, '-O', 'luks', '--size', '1', '-o', options];
    expect((await qemuImg(line)).exitCode).toBe('SIGABRT');
    const own = await ours(line);
    expect(own.exitCode).toBe(1);
    expect(own.stderr).toMatch(/192 bits/);
  });
});

describe.skipIf(!available)('measure: damaged tables', () => {
  it('only what is not needed may be damaged', async () => {
    await make('qemu-img', [
      'create',
      '-q',
      '-f',
      'qcow2',
      '-o',
      'cluster_size=4k',
      'd.qcow2',
      '1M',
    ]);
    await make('qemu-io', ['-c', 'write -P 1 0 256k', 'd.qcow2']);
    for (const index of [0, 1, 15, 16, 20]) {
      const editor = new Qcow2Editor('d.qcow2');
      editor.change(editor.l2(index), (entry) => entry | 0x200n);
      editor.save('damaged.qcow2');
      for (const options of ['cluster_size=4k', 'cluster_size=64k', 'backing_file=x']) {
        await expectSame(['measure', '-O', 'qcow2', '-o', options, 'damaged.qcow2']);
      }
      await expectSame(['measure', '-O', 'raw', 'damaged.qcow2']);
    }
    const editor = new Qcow2Editor('d.qcow2');
    editor.change(editor.l1(), (entry) => entry | 0x200n);
    editor.save('damaged.qcow2');
    await expectSame(['measure', '-O', 'qcow2', 'damaged.qcow2']);
  });
});

const SEED = 20_261;

describe.skipIf(!available)('measure: anything', () => {
  const random = randomNumbers(SEED);
  const pick = <T>(values: readonly T[]): T => values[random(values.length)] as T;

  /** Creation options, most of them possible. */
  function anyOptions(): string {
    const size = 2 ** (9 + random(13));
    const options = [
      `cluster_size=${size}`,
      ...(random(2) === 0 ? [] : [`refcount_bits=${2 ** random(7)}`]),
      ...(random(3) === 0 ? ['extended_l2=on'] : []),
      ...(random(6) === 0 ? ['compat=0.10'] : []),
      ...(random(4) === 0 ? [`preallocation=${pick(['metadata', 'falloc', 'full'])}`] : []),
      ...(random(6) === 0 ? ['backing_file=x'] : []),
    ];
    return options.join(',');
  }

  it(`sizes of all magnitudes (seed ${SEED})`, async () => {
    for (let i = 0; i < 80; i++) {
      const bits = 1 + random(63);
      let size = 0n;
      for (let bit = 0; bit < bits; bit++) size = size * 2n + BigInt(random(2));
      // Just beside a power of two is where rounding shows.
      if (i % 2 === 0) size = (1n << BigInt(bits)) + BigInt(random(3) - 1);
      if (size >= 2n ** 63n) continue;
      const options = anyOptions();
      await expectSameMeasure(['-O', 'qcow2', '-o', options, '--size', String(size)]);
    }
  });

  it(`images of all kinds (seed ${SEED})`, async () => {
    for (let i = 0; i < 8; i++) {
      const compat = random(4) === 0 ? '0.10' : '1.1';
      const spec: ImageSpec = {
        compat,
        clusterSize: pick([512, 4096, 65536]),
        refcountBits: 16,
        // Not `mixed`: its files have holes within clusters, which nobody can be asked for here.
        content: pick(['data', 'zero', 'compressed', 'holes', 'fragmented']),
        size: pick([1536, 3 * 1024 * 1024 + 2560, 4 * 1024 * 1024 + 512]),
        backing: pick(['none', 'raw-shorter', 'qcow2-longer', 'deep']),
        snapshots: pick([0, 1]),
      };
      const path = await makeImage(spec, mkdtempSync(join(folder, 'any-')));
      for (let j = 0; j < 4; j++) {
        const output = pick(['human', 'json']);
        const options = anyOptions();
        await expectSameMeasure([...['-O', 'qcow2', `--output=${output}`, '-o'], options, path]);
      }
      if (spec.snapshots > 0) await expectSameMeasure(['-O', 'qcow2', '-l', '1', path]);
    }
  });

  it('a sparse file of 200 GiB, for which clusters of 512 bytes are too small', async () => {
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', 'huge.qcow2', '200G']);
    await make('qemu-io', ['-c', 'write 150G 1M', 'huge.qcow2']);
    for (const options of ['cluster_size=512', 'cluster_size=2M', 'extended_l2=on']) {
      await expectSameMeasure(['-O', 'qcow2', '-o', options, 'huge.qcow2']);
    }
    truncateSync('r.raw', 10_001);
    await expectSameMeasure(['-O', 'raw', 'r.raw']);
  });
});
