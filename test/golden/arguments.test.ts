import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noise } from './make-images.ts';
import { available, expectSame, expectSameInTurn, make, ours, qemuImg } from './programs.ts';

let folder = '';
const before = process.cwd();

beforeAll(async () => {
  if (!available) return;
  folder = mkdtempSync(join(tmpdir(), 'arguments-'));
  process.chdir(folder);
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', 'a.qcow2', '4M']);
  await make('qemu-io', ['-c', 'write -P 1 0 1M', '-c', 'write -c -P 2 2M 64k', 'a.qcow2']);
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', 'plain.qcow2', '4M']);
  await make('qemu-io', ['-c', 'write -P 1 1M 1M', 'plain.qcow2']);
  writeFileSync(
    'r.raw',
    noise(10_000, 1).map((byte) => byte | 1),
  );
  writeFileSync('empty', '');
  mkdirSync('folder');
});

afterAll(() => {
  process.chdir(before);
  if (folder !== '') rmSync(folder, { recursive: true });
});

/** Arguments, separated by spaces; a pair of quotes stands for an empty one. */
function words(line: string): string[] {
  return line === '' ? [] : line.split(' ').map((word) => (word === "''" ? '' : word));
}

const SAME = [
  // The program itself
  '',
  'what',
  '-x',
  '--what',
  '-T',
  "''",
  '-T nothing info plain.qcow2',
  "-T '' info plain.qcow2",
  '-- info plain.qcow2',
  // Options
  'info --what a.qcow2',
  'info -z a.qcow2',
  'info -Uz a.qcow2',
  'info -zU a.qcow2',
  'info a.qcow2 -zU x',
  'info a.qcow2 -Uf',
  'info -f',
  'info --output a.qcow2',
  'info a.qcow2 --output',
  'info --output=xml a.qcow2',
  'info a.qcow2 --outp=json',
  'info a.qcow2 --o json',
  'info --backing-chain=3 a.qcow2',
  'info --help=3 a.qcow2',
  'info --form raw -- r.raw',
  'info -fraw r.raw',
  'info a.qcow2 -- -U',
  'info -- -U',
  'info -U -U a.qcow2',
  'info --force a.qcow2',
  'check -q -zU a.qcow2',
  'map -q a.qcow2',
  'convert --target-i a.qcow2 o.raw',
  'compare --out a b',
  // Operands
  'info',
  'info a b',
  'check',
  'check a b',
  'map',
  'map a b',
  'compare',
  'compare a',
  'compare a b c',
  'convert',
  'convert a.qcow2',
  // Names
  'info nothing',
  "info ''",
  'info folder',
  'info /',
  'info a.qcow2/x',
  'info strange:name',
  'info file:a.qcow2',
  'info file:nothing',
  'info --output=json file:a.qcow2',
  'info ./a.qcow2',
  'info empty',
  'info --output=json empty',
  `info ${'x'.repeat(300)}`,
  'check nothing',
  'map nothing',
  'compare nothing a.qcow2',
  'compare a.qcow2 nothing',
  'convert nothing o.raw',
  "convert '' o.raw",
  // Formats
  'info -f what a.qcow2',
  'info -f qcow2 r.raw',
  'compare -f what a.qcow2 a.qcow2',
  'compare -F what a.qcow2 a.qcow2',
  'compare -f raw -F raw r.raw r.raw',
  'convert -f what a.qcow2 o.raw',
  'convert -O what a.qcow2 o.raw',
  'convert -n -O what a.qcow2 r.raw',
  'convert -f qcow2 r.raw o.raw',
  // check
  'check a.qcow2',
  'check -q a.qcow2',
  'check --output json a.qcow2',
  'check -q --output json a.qcow2',
  'check --output=xml a.qcow2',
  'check r.raw',
  'check -q r.raw',
  'check --output json r.raw',
  'check -r what a.qcow2',
  'check -r',
  'check -T what a.qcow2',
  'check -T none a.qcow2',
  // map
  'map a.qcow2',
  'map plain.qcow2',
  'map r.raw',
  ...['1M', '1.5k', '100', '0x10', '0x10k', '4M', '1G', '9223372036854775807', '+12', '010'].map(
    (offset) => `map --output=json --start-offset=${offset} a.qcow2`,
  ),
  ...['what', '-1', "''", '9E', '16E', '12kk', '1.5', '.5k', '1e3'].map(
    (offset) => `map --start-offset ${offset} a.qcow2`,
  ),
  ...['0', '1', '1k', '1.5M', '100M', '8388607T', 'x', '-1', '9223372036854775808'].map(
    (length) => `map --output=json --max-length ${length} a.qcow2`,
  ),
  'map -s 1M -l 1M plain.qcow2',
  'map -s 1.25M -l 10 plain.qcow2',
  'map --output=json -s 1.25M -l 10 plain.qcow2',
  'map --output=xml a.qcow2',
  // compare
  'compare -T what a.qcow2 a.qcow2',
  'compare a.qcow2 plain.qcow2',
  'compare -q a.qcow2 plain.qcow2',
  'compare -s a.qcow2 r.raw',
  'compare a.qcow2 r.raw',
  'compare -p nothing a.qcow2',
  // convert
  'convert -O raw a.qcow2 nowhere/o.raw',
  'convert -O raw a.qcow2 /',
  'convert -O raw a.qcow2 folder',
  'convert -O raw a.qcow2 strange:o.raw',
  'convert -O raw a.qcow2 a.qcow2',
  'convert -O raw a.qcow2 ./folder/../a.qcow2',
  'convert -n -O raw a.qcow2 a.qcow2',
  ...['0', '17', 'x', '-1', "''", '1.0', '010', '0x8', '+8', '8x'].map(
    (count) => `convert -m ${count} a.qcow2 o.raw`,
  ),
  ...['x', '513', '32M', '16M', '0', '4k'].map((size) => `convert -S ${size} a.qcow2 o.raw`),
  'convert -t what a.qcow2 o.raw',
  'convert -T what a.qcow2 o.raw',
  'convert -T what nothing o.raw',
  'convert -t what nothing o.raw',
  'convert -t none -T none a.qcow2 o.raw',
  'convert -t what -c a.qcow2 o.raw',
  'convert -p nothing o.raw',
  'convert -p -q a.qcow2 o.raw',
  'convert -C -S 4k a.qcow2 o.raw',
  'convert -C -c a.qcow2 o.raw',
  'convert -C -c -S 4k',
  'convert -C --salvage a.qcow2 o.raw',
  'convert -C a.qcow2 o.raw',
  'convert -c a.qcow2 o.raw',
  'convert -W -c a.qcow2 o.raw',
  'convert -W a.qcow2 o.raw',
  'convert -n a.qcow2 nothing',
  'convert -n a.qcow2 r.raw',
  'convert -n -o size=1 a.qcow2 o.raw',
  'convert --target-is-zero a.qcow2 o.raw',
  'convert --target-image-opts a.qcow2 o.raw',
  'convert -o what=1 a.qcow2 o.raw',
  'convert -o preallocation=what a.qcow2 o.raw',
  'convert -o preallocation=off,,size=7 a.qcow2 o.raw',
  'convert -o preallocation=off,size=7 a.qcow2 o.raw',
  'convert -o preallocation=full a.qcow2 o.raw',
  'convert -o nocow=what a.qcow2 o.raw',
  'convert -o nocow=off a.qcow2 o.raw',
  'convert -o extent_size_hint=what a.qcow2 o.raw',
  'convert -o size=what a.qcow2 o.raw',
  'convert -o size=1k -o preallocation=off a.qcow2 o.raw',
  'convert -o , a.qcow2 o.raw',
  "convert -o '' a.qcow2 o.raw",
  'convert -o backing_file=x a.qcow2 o.raw',
  'convert -O what -o help',
  'convert -B what a.qcow2 o.raw',
  'convert -F what a.qcow2 o.raw',
  'convert --bitmaps a.qcow2 o.raw',
  'convert --bitmaps a.qcow2 r.raw o.raw',
  'convert --skip-broken-bitmaps a.qcow2 o.raw',
  'convert -l x a.qcow2 r.raw o.raw',
  'convert -r what a.qcow2 o.raw',
  'convert -l x a.qcow2 o.raw',
  'convert -l snapshot.id=1,snapshot.name=x a.qcow2 o.raw',
  'convert -l snapshot.what=1 a.qcow2 o.raw',
];

describe.skipIf(!available)('the same answer to', () => {
  it.each(SAME)('%s', async (line) => {
    const isWrite = line.startsWith('convert');
    await (isWrite ? expectSameInTurn : expectSame)(words(line));
  });
});

describe.skipIf(!available)('refused, and not silently', () => {
  it.each([
    [
      'check --object authz-list,id=a a.qcow2',
      '--object authz-list is not supported by this version',
    ],
    ['create -f vvfat x 1M', "Creating 'vvfat' is not supported by this version"],
    ['convert -O vvfat a.qcow2 o', "Converting to 'vvfat' is not supported by this version"],
    ['convert -o nocow=on a.qcow2 o', 'The option nocow is not supported by this version'],
    [
      'info -f quorum a.qcow2',
      "Could not open 'a.qcow2': The format 'quorum' is not supported by this version",
    ],
    [
      'info nbd://localhost/',
      "Could not open 'nbd://localhost/': The protocol 'nbd' is not supported by this version",
    ],
  ])('%s', async (line, text) => {
    const expected = { stdout: '', stderr: `qemu-img: ${text}\n`, exitCode: 1 };
    expect(await ours(words(line))).toEqual(expected);
  });
});

describe.skipIf(!available)('help', () => {
  it.each(['-h', '--help', 'info --help', 'check -h', 'convert -h -z', 'map a b --help'])(
    '%s ends well and lists the formats in one line',
    async (line) => {
      const [real, own] = await Promise.all([qemuImg(words(line)), ours(words(line))]);
      expect(real.exitCode).toBe(0);
      expect(own.exitCode).toBe(0);
      expect(own.stderr).toBe('');
      const formats = /^Supported formats: ([a-z0-9_ -]+)$/m;
      const known = formats.exec(real.stdout)?.[1]?.split(' ') ?? [];
      for (const format of formats.exec(own.stdout)?.[1]?.split(' ') ?? ['none']) {
        expect(known).toContain(format);
      }
      expect(own.stdout).toMatch(/^usage: qemu-img \[standard options\] command/m);
    },
  );

  it('the version begins like that of the program it stands for', async () => {
    const [real, own] = await Promise.all([qemuImg(['-V']), ours(['--version'])]);
    const number = /^qemu-img version [0-9.]+/;
    expect(number.exec(own.stdout)?.[0]).toBe(number.exec(real.stdout)?.[0]);
  });

  it('the creation options are some of the real ones', async () => {
    const line = ['convert', '-o', 'help', 'a.qcow2', 'o.raw'];
    const [real, own] = await Promise.all([qemuImg(line), ours(line)]);
    const names = (text: string) => [...text.matchAll(/^ {2}(\w+)=/gm)].map(([, name]) => name);
    expect(names(own.stdout).length).toBeGreaterThan(0);
    expect(names(real.stdout)).toEqual(expect.arrayContaining(names(own.stdout)));
  });
});
