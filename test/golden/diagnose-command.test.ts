import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DiagnosisComparison, DiagnosisReport } from '../../src/engine/index.ts';
import { available, make, makeEncrypted, ours, qemuImg } from './programs.ts';

let folder = '';
const at = (name: string): string => join(folder, name);

/** Written by a guest that begins at 1 MiB, as installers do, and leaves the rest. */
const WRITES = ['write -P 1 1M 3M', 'write -P 2 10M 1M', 'write -z 12M 1M', 'write -P 3 30M 64k'];

interface Fresh {
  name: string;
  format?: string;
  options?: string;
  /** Also written to; images that are not are made all the same. */
  isWritten?: boolean;
}

const CLUSTERS = ['512', '1k', '2k', '4k', '8k', '16k', '32k', '64k', '128k', '256k', '512k', '1M'];

/** One of every way to make an image. */
const FRESH: readonly Fresh[] = [
  ...[...CLUSTERS, '2M'].map((size) => ({
    ...{ name: `clusters-${size}`, options: `cluster_size=${size}`, isWritten: true },
  })),
  { name: 'empty' },
  { name: 'default', isWritten: true },
  { name: 'v2', options: 'compat=0.10', isWritten: true },
  ...[8, 32, 64].map((bits) => ({
    ...{ name: `refcounts-${bits}`, options: `refcount_bits=${bits}`, isWritten: true },
  })),
  { name: 'lazy', options: 'lazy_refcounts=on', isWritten: true },
  { name: 'extended', options: 'extended_l2=on', isWritten: true },
  { name: 'extended-128k', options: 'extended_l2=on,cluster_size=128k', isWritten: true },
  { name: 'zstd', options: 'compression_type=zstd', isWritten: true },
  { name: 'metadata', options: 'preallocation=metadata', isWritten: true },
  { name: 'metadata-empty', options: 'preallocation=metadata' },
  { name: 'falloc', options: 'preallocation=falloc', isWritten: true },
  { name: 'full', options: 'preallocation=full', isWritten: true },
  ...['raw', 'vmdk', 'vpc', 'vhdx', 'vdi', 'qed', 'qcow', 'parallels'].flatMap((format) => [
    { name: `${format}-empty`, format },
    { name: `${format}-written`, format, isWritten: true },
  ]),
  { name: 'vmdk-stream', format: 'vmdk', options: 'subformat=streamOptimized' },
  { name: 'vpc-fixed', format: 'vpc', options: 'subformat=fixed' },
  { name: 'vhdx-fixed', format: 'vhdx', options: 'subformat=fixed' },
  { name: 'vdi-static', format: 'vdi', options: 'static=on' },
];

beforeAll(() => {
  if (available) folder = mkdtempSync(join(tmpdir(), 'diagnose-'));
});

afterAll(() => {
  if (folder !== '') rmSync(folder, { recursive: true });
});

async function create(name: string, format: string, options: string, size = '40M') {
  const chosen = options === '' ? [] : ['-o', options];
  await make('qemu-img', ['create', '-q', '-f', format, ...chosen, at(name), size]);
}

async function write(name: string, commands: readonly string[], format = 'qcow2') {
  await make('qemu-io', ['-f', format, ...commands.flatMap((one) => ['-c', one]), at(name)]);
}

interface SaidReport extends DiagnosisReport {
  findings: (DiagnosisReport['findings'][number] & {
    title: string;
    why: string;
    advice: string;
    commands: string[];
  })[];
  comparison?: DiagnosisComparison;
}

async function diagnose(...args: string[]): Promise<{ exitCode: unknown; report: SaidReport }> {
  const { exitCode, stdout, stderr } = await ours(['diagnose', '--output=json', ...args]);
  expect(stderr, args.join(' ')).toBe('');
  return { exitCode, report: JSON.parse(stdout) as SaidReport };
}

/** Graver than a note, as text: what is wrong is seen in the message. */
function complaints({ findings }: SaidReport): string[] {
  return findings
    .filter(({ grade }) => grade !== 'note')
    .map(({ code, grade, title }) => `${grade} ${code}: ${title}`);
}

const jsonOf = async (...args: string[]) =>
  JSON.parse((await qemuImg(args)).stdout) as Record<string, number>;

describe.skipIf(!available)('diagnose and the real program', () => {
  it('nothing is wrong with a fresh image of any kind', async () => {
    const alarms: string[] = [];
    for (const { name, format = 'qcow2', options = '', isWritten = false } of FRESH) {
      await create(name, format, options);
      if (isWritten) await write(name, WRITES, format);
      const { exitCode, report } = await diagnose('-f', format, at(name));
      alarms.push(...complaints(report).map((complaint) => `${name}: ${complaint}`));
      if (exitCode !== 0) alarms.push(`${name}: exit code ${String(exitCode)}`);
      const { space } = report.facts.survey ?? {};
      if (space === undefined) continue;
      const { metadata, fileSize, ...parts } = space;
      const sum = (all: object) =>
        Object.values(all).reduce((total: number, one) => total + Number(one), 0);
      expect(fileSize, name).toBe(statSync(at(name)).size);
      expect(sum(parts) + sum(metadata), name).toBe(fileSize);
    }
    for (const packing of ['zlib', 'zstd']) {
      const to = ['-O', 'qcow2', '-o', `compression_type=${packing}`, at('default'), at(packing)];
      await make('qemu-img', ['convert', '-c', ...to]);
      const { report } = await diagnose(at(packing));
      alarms.push(...complaints(report).map((complaint) => `${packing}: ${complaint}`));
    }
    expect(alarms).toEqual([]);
  });

  it('its figures are those of check, measure and info', async () => {
    for (const name of ['default', 'clusters-4k', 'v2', 'extended', 'metadata', 'zlib']) {
      const { facts } = (await diagnose(at(name))).report;
      const check = await jsonOf('check', '--output=json', at(name));
      expect(facts.check?.imageEndOffset, name).toBe(check['image-end-offset']);
      expect(facts.survey?.order, name).toMatchObject({
        fragmented: check['fragmented-clusters'] ?? 0,
        allocated: check['allocated-clusters'] ?? 0,
      });
      expect(facts.survey?.clusters, name).toMatchObject({
        total: check['total-clusters'],
        compressed: check['compressed-clusters'] ?? 0,
      });
      const info = await jsonOf('info', '--output=json', at(name));
      expect(facts.info.virtualSize, name).toBe(info['virtual-size']);
      // It reserves the tables of a whole disk; compacting makes those that are needed.
      if (!['default', 'clusters-4k', 'v2', 'extended'].includes(name)) continue;
      const options = FRESH.find((one) => one.name === name)?.options ?? 'compat=1.1';
      const line = ['measure', '--output=json', '-O', 'qcow2', '-o', options, at(name)];
      const measured = await jsonOf(...line);
      const tables = Number(measured['fully-allocated']) - facts.info.virtualSize;
      const compact = facts.survey?.forecasts?.compact;
      expect(compact, name).toBeLessThanOrEqual(Number(measured['required']));
      expect(compact, name).toBeGreaterThan(Number(measured['required']) - tables);
    }
  });

  it('damage ends with 2, leaks alone are no reason to fail, what is no image ends with 1', async () => {
    const bytes = readFileSync(at('default'));
    const l1 = Number(bytes.readBigUInt64BE(40));
    const l2 = Number(bytes.readBigUInt64BE(l1) & 0x00ff_ffff_ffff_fe00n);
    const copy = (name: string, change: (image: Buffer) => Buffer) => {
      writeFileSync(at(name), change(Buffer.from(bytes)));
    };
    // Two clusters of the disk lead to one of the file.
    copy('damaged', (image) => {
      image.copy(image, l2 + 16 * 8, l2 + 17 * 8, l2 + 18 * 8);
      return image;
    });
    const damaged = await diagnose(at('damaged'));
    expect([damaged.exitCode, damaged.report.verdict]).toEqual([2, 'danger']);
    expect(damaged.report.findings[0]?.commands).toContain(
      `qemu-img check -r all ${at('damaged')}`,
    );
    const refcounts = Number(bytes.readBigUInt64BE(48));
    copy('leaking', (image) => {
      const block = Number(image.readBigUInt64BE(refcounts));
      const end = image.length / 65536;
      for (let index = 0; index < 100; index++) image.writeUInt16BE(1, block + (end + index) * 2);
      return Buffer.concat([image, Buffer.alloc(100 * 65536)]);
    });
    const { stdout } = await qemuImg(['check', '--output=json', at('leaking')]);
    expect(JSON.parse(stdout)).toMatchObject({ leaks: 100 });
    const leaking = await diagnose(at('leaking'));
    expect([leaking.exitCode, leaking.report.verdict]).toEqual([0, 'attention']);
    expect(leaking.report.findings.map(({ code }) => code).join(' ')).toMatch(/leak/);
    expect(leaking.report.facts.survey?.space.leaked).toBe(100 * 65536);
    writeFileSync(at('broken'), 'QFI\xfb\0\0\0\x03 and nothing else', 'latin1');
    const broken = await ours(['diagnose', at('broken')]);
    expect(broken).toMatchObject({ exitCode: 1, stdout: '' });
    expect(broken.stderr).toMatch(/^qemu-img: Could not open /);
    expect((await ours(['diagnose', at('absent')])).exitCode).toBe(1);
    expect((await ours(['diagnose', '--output=xml', at('default')])).exitCode).toBe(1);
  });

  it('a report is compared with what has become of the image', async () => {
    copyFileSync(at('default'), at('life'));
    const { stdout } = await ours(['diagnose', '--output=json', at('life')]);
    const report = JSON.parse(stdout) as DiagnosisReport;
    report.facts.now -= 10 * 24 * 60 * 60 * 1000;
    writeFileSync(at('report.json'), JSON.stringify(report));
    const compare = `--compare=${at('report.json')}`;
    const same = (await diagnose(compare, at('life'))).report.comparison;
    expect(same).toMatchObject({ sameness: 'same', untouched: true, appeared: [], gone: [] });
    await make('qemu-img', ['snapshot', '-c', 'first', at('life')]);
    await write('life', ['write -P 9 1M 2M']);
    const { comparison } = (await diagnose(compare, at('life'))).report;
    expect(comparison?.snapshotsAdded.map(({ name }) => name)).toEqual(['first']);
    const grown = statSync(at('life')).size - statSync(at('default')).size;
    const [file] = comparison?.growth ?? [];
    expect((file?.now ?? 0) - (file?.before ?? 0)).toBe(grown);
    expect(file?.perDay).toBeCloseTo(grown / 10, -3);
    const text = await ours(['diagnose', compare, at('life')]);
    expect(text.stdout).toContain('New snapshots: first.');
    expect(text.stdout).toContain('reaches its largest size');
    const markdown = await ours(['diagnose', '--output=markdown', compare, at('life')]);
    expect(markdown.stdout).toContain('\n## Where the bytes are\n\n| Part | Size | Share |');
    writeFileSync(at('foreign.json'), '{}');
    const refused = await ours(['diagnose', `--compare=${at('foreign.json')}`, at('life')]);
    expect(refused).toMatchObject({ exitCode: 1, stdout: '' });
    expect(refused.stderr).toContain('it is no report of a diagnosis');
  });

  it('without the passphrase, and without the backing file, it says what it could not look at', async () => {
    await create('base', 'qcow2', '');
    const below = ['-b', at('base'), '-F', 'qcow2', at('top')];
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', ...below]);
    expect((await diagnose(at('top'))).report.facts.chain.map(({ missing }) => missing)).toEqual([
      ...[false, false],
    ]);
    const secret = ['--object', 'secret,id=s,data=geheim'];
    const luks = 'encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10';
    const locked = ['create', '-q', '-f', 'qcow2', ...secret, '-o', luks, at('locked'), '40M'];
    await makeEncrypted(locked);
    const asked = await ours(['diagnose', at('locked')]);
    expect(asked).toMatchObject({ exitCode: 0, stderr: '' });
    expect(asked.stdout).toContain('What is in the disk could not be read');
    const opened = `driver=qcow2,file.filename=${at('locked')},encrypt.key-secret=s`;
    const told = await ours(['diagnose', ...secret, '--image-opts', opened]);
    expect(told).toMatchObject({ exitCode: 0, stderr: '' });
    expect(told.stdout).not.toContain('could not be read');
    rmSync(at('base'));
    const { stdout, exitCode } = await ours(['diagnose', '--deep', at('top')]);
    expect(stdout).toContain('What is in the disk could not be read');
    expect(exitCode).not.toBe(0);
  });
});
