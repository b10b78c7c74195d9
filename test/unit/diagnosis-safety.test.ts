/** The rules of safety: what makes them speak, and what must not. */
import { describe, expect, it } from 'vitest';
import {
  diagnose,
  openImage,
  type DeepFacts,
  type DiagnosisFacts,
  type DiagnosisFinding,
  type FieldValue,
  type LayerFacts,
  type SecretFacts,
  type SpaceAccount,
} from '../../src/engine/index.ts';
import { judgeArea } from '../../src/engine/diagnosis/rule.ts';
import { SAFETY_RULES } from '../../src/engine/diagnosis/rules/safety.ts';
import { reachOf } from '../../src/engine/diagnosis/rules/safety-names.ts';
import { buildQcow2 } from '../images/build-qcow2.ts';
import {
  healthyFacts,
  healthyInfo,
  healthyQcow2,
  healthySurvey,
} from '../images/diagnosis-facts.ts';
import { expectTexts, textsOf } from '../images/diagnosis-texts.ts';
import { memory } from '../images/memory.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

function judged(change: Partial<DiagnosisFacts>): DiagnosisFinding[] {
  const findings = judgeArea('safety', SAFETY_RULES, healthyFacts(change));
  for (const finding of findings) expectTexts(finding);
  return findings;
}

const said = (findings: readonly DiagnosisFinding[]) =>
  findings.map(({ code, grade }) => `${grade} ${code}`);
const remedies = (findings: readonly DiagnosisFinding[]) =>
  findings.flatMap((finding) => finding.remedies.map(({ kind }) => kind));

const deepFacts = (change: Partial<DeepFacts> = {}): DeepFacts => ({
  ...{ bytesRead: GIB, packedClusters: 0, brokenPacked: 0, brokenPlaces: [] },
  ...{ snapshotPacked: 0, brokenSnapshotPacked: 0, unreadable: 0, unreadablePlaces: [] },
  ...{ zeroFilled: 0, equalToBacking: 0, sampled: 0, sampledPacked: 0 },
  ...{ staleKnown: true, stale: 0, stalePlaces: [], secrets: [] },
  ...change,
});
const secret = (kind: SecretFacts['kind'], count: number, stale = 0): SecretFacts => ({
  ...{ kind, count, stale, places: count > stale ? [{ offset: 4096, length: 99 }] : [] },
  stalePlaces: stale > 0 ? [{ offset: 65536, length: 99 }] : [],
});
function spaced(space: Partial<SpaceAccount>): Partial<DiagnosisFacts> {
  const survey = healthySurvey();
  return { survey: { ...survey, space: { ...survey.space, ...space } } };
}
const backed = (name: string) => healthyInfo({ backing: { name, format: 'qcow2', found: false } });
const layer = (writtenName: string): LayerFacts => ({
  ...(healthyFacts().chain[0] as LayerFacts),
  writtenName,
});

it('say nothing of a sound image, looked at in depth or not', () => {
  expect(judged({})).toEqual([]);
  expect(judged({ deep: deepFacts() })).toEqual([]);
});

it('say nothing of images that were just made', async () => {
  const ago = Date.UTC(2026, 0, 1);
  for (const clusterBits of [9, 16, 21]) {
    const { bytes } = buildQcow2({ clusterBits, size: 8 * MIB, clusters: new Map() });
    const open = async (mode: 'check' | 'read') => openImage(await memory(bytes), { mode });
    const image = { checked: await open('check'), readable: await open('read') };
    for (const deep of [false, true]) {
      const { findings } = await diagnose(image, { now: ago, deep });
      expect(findings.filter(({ area }) => area === 'safety')).toEqual([]);
    }
  }
});

describe('names', () => {
  it.each([
    ['base.qcow2', 'beside'],
    ['images/base.qcow2', 'beside'],
    ['./a/../base.qcow2', 'beside'],
    ['file:base.qcow2', 'beside'],
    ['../base.qcow2', 'path'],
    ['/var/lib/libvirt/images/base.qcow2', 'path'],
    ['/root/base.qcow2', 'path'],
    ['/home/etc/base.qcow2', 'path'],
    ['C:\\VMs\\base.vhdx', 'path'],
    ['\\\\server\\share\\base.vhd', 'path'],
    ['/etc/shadow', 'system'],
    ['//etc//shadow', 'system'],
    ['/var/../etc/shadow', 'system'],
    ['../../../../etc/shadow', 'system'],
    ['file:///etc/passwd', 'system'],
    ['file:/dev/sda', 'system'],
    ['/dev/vg0/base', 'system'],
    ['/home/me/.ssh/id_rsa', 'system'],
    ['c:/Windows/System32/config/SAM', 'system'],
    ['\\\\.\\PhysicalDrive0', 'system'],
    ['nbd:10.0.0.1:10809', 'protocol'],
    ['nbd+unix:///x?socket=/run/s', 'protocol'],
    ['https://example.org/base.qcow2', 'protocol'],
    ['ssh://me@host/base', 'protocol'],
    ['rbd:pool/image', 'protocol'],
    ['json:{"driver":"file","filename":"/etc/shadow"}', 'json'],
    ['JSON:{}', 'json'],
  ])('%s: %s', (name, reach) => {
    expect(reachOf(name)).toBe(reach);
    const findings = judged({ info: backed(name) });
    const isPlain = reach === 'beside' || reach === 'path';
    expect(said(findings)).toEqual([`${isPlain ? 'note' : 'problem'} safety-opens`]);
    expect(findings[0]?.values).toMatchObject({ name, reach, role: 'backing', depth: 0 });
    expect(remedies(findings)).toEqual(isPlain ? [] : ['flatten']);
  });

  it('of data files, and of images further down only what is dangerous', () => {
    const dataFile = (name: string) => ({
      info: healthyInfo({ qcow2: healthyQcow2({ dataFile: name }) }),
    });
    expect(said(judged(dataFile('disk.data')))).toEqual(['note safety-opens']);
    expect(said(judged(dataFile('/etc/shadow')))).toEqual(['problem safety-opens']);
    expect(judged(dataFile(''))).toEqual([]);
    const chain = ['', 'a.qcow2', 'b.qcow2', 'nbd:host:1'].map(layer);
    const findings = judged({ info: backed('a.qcow2'), chain });
    expect(said(findings)).toEqual(['note safety-opens', 'problem safety-opens']);
    expect(findings[1]?.values).toMatchObject({ name: 'nbd:host:1', depth: 2 });
    const { file } = healthyFacts();
    const info = healthyInfo({ format: 'vmdk', qcow2: undefined });
    expect(said(judged({ info, file: { ...file, severalFiles: true } }))).toEqual([
      'note safety-several-files',
    ]);
  });
});

describe('bombs', () => {
  const l1 = (entries: number): FieldValue[] => [
    { name: 'l1Size', offset: 36, length: 4, value: String(entries), meaning: '' },
  ];

  it.each([
    [1024 * 1024 * GIB, []],
    [1024 * 1024 * GIB + 512, ['advice safety-huge-disk']],
  ])('a disk of %d bytes', (virtualSize, expected) => {
    expect(said(judged({ info: healthyInfo({ virtualSize }) }))).toEqual(expected);
  });

  it.each([
    [2 * MIB, []],
    [2 * MIB + 1, ['advice safety-huge-table']],
  ])('a first table of %d entries', (entries, expected) => {
    const info = healthyInfo({ qcow2: healthyQcow2({ fields: l1(entries) }) });
    expect(said(judged({ info }))).toEqual(expected);
  });

  it.each([
    [2 * MIB, 16384, []],
    [MIB, 16384, ['advice safety-expands']],
    [1024, 15000, []],
  ])('%d bytes that unpack to %d clusters', (compressed, clusters, expected) => {
    const { survey } = spaced({ compressed });
    const counts = { ...healthySurvey().clusters, compressed: clusters };
    const facts = { survey: { ...survey, clusters: counts } } as Partial<DiagnosisFacts>;
    expect(said(judged(facts))).toEqual(expected);
  });
});

describe('formats and ciphers', () => {
  it.each([
    ['raw', 'qcow2', ['problem safety-looks-like-image'], ['paste']],
    ['qcow2', 'vmdk', ['advice safety-looks-like-image'], []],
    ['raw', 'luks', [], []],
    ['raw', '', [], []],
  ] as const)('a disk in %s that begins like %s', (format, contentLooksLike, expected, mends) => {
    const qcow2 = format === 'raw' ? undefined : healthyQcow2();
    const findings = judged({ info: healthyInfo({ format, qcow2 }), contentLooksLike });
    expect(said(findings)).toEqual(expected);
    expect(remedies(findings)).toEqual(mends);
  });

  it('are seen in what a disk begins with', async () => {
    const inner = buildQcow2({ clusterBits: 12, size: 65536, clusters: new Map() });
    const open = async (content: Uint8Array, mode: 'check' | 'read') =>
      openImage(await memory(content), { mode, format: 'raw' });
    for (const [content, looksLike] of [
      [inner.bytes, 'qcow2'],
      [new Uint8Array(4 * MIB), ''],
    ] as const) {
      const image = {
        checked: await open(content, 'check'),
        readable: await open(content, 'read'),
      };
      const { facts } = await diagnose(image, { now: 0 });
      expect(facts.contentLooksLike).toBe(looksLike);
    }
  });

  it('the old encryption of qcow is weak', () => {
    const info = healthyInfo({ format: 'qcow', qcow2: undefined, encrypted: true });
    expect(said(judged({ info }))).toEqual(['advice safety-weak-encryption']);
    expect(judged({ info: { ...info, encrypted: false } })).toEqual([]);
  });
});

describe('what is given away', () => {
  it('may be in places that nothing uses: a note that offers to look', () => {
    const findings = judged(spaced({ zeroHeld: 8 * MIB, leaked: MIB, free: MIB, tail: 65536 }));
    expect(said(findings)).toEqual(['note safety-remains']);
    expect(remedies(findings)).toEqual(['deep', 'compact']);
    expect(findings[0]?.values).toEqual({
      ...{ bytes: 10 * MIB + 65536, held: 8 * MIB, leaked: MIB, free: MIB + 65536 },
    });
    expect(judged(spaced({ tail: 65536 }))).toEqual([]);
    const encrypted = { ...spaced({ leaked: GIB }), info: healthyInfo({ encrypted: true }) };
    expect(judged(encrypted)).toEqual([]);
  });

  it.each([
    [0, []],
    [65535, []],
    [65536, ['note safety-remains-found']],
    [MIB, ['advice safety-remains-found']],
  ])('is known after a deep look: %d bytes', (stale, expected) => {
    const deep = deepFacts({ stale, stalePlaces: [{ offset: 65536, length: 512 }] });
    const findings = judged({ ...spaced({ leaked: 16 * MIB }), deep });
    expect(said(findings)).toEqual(expected);
    if (expected.length === 0) return;
    expect(findings[0]?.places).toEqual([{ host: { offset: 65536, length: 512 } }]);
    expect(remedies(findings)).toEqual(['compact']);
  });

  it('snapshots hold earlier states', () => {
    const [taken] = [{ id: '1', name: 'a' } as never];
    const info = healthyInfo({ snapshots: [taken] });
    const findings = judged({ info, ...spaced({ snapshotOnly: MIB, vmState: GIB }) });
    expect(said(findings)).toEqual(['note safety-snapshots']);
    expect(findings[0]?.remedies).toEqual([{ kind: 'compact', snapshots: false }]);
  });

  it('secrets are listed by kind, those that are gone from the disk apart', () => {
    const secrets = [secret('private-key', 3, 1), secret('token', 2, 2), secret('machine-id', 1)];
    const findings = judged({ deep: deepFacts({ secrets }) });
    expect(said(findings)).toEqual(['problem safety-secrets', 'problem safety-old-secrets']);
    expect(findings.map(({ values }) => values)).toEqual([
      {
        found: [
          { kind: 'private-key', count: 2 },
          { kind: 'machine-id', count: 1 },
        ],
      },
      {
        found: [
          { kind: 'private-key', count: 1 },
          { kind: 'token', count: 2 },
        ],
      },
    ]);
    expect(findings.map(({ places }) => Object.keys(places[0] ?? {}))).toEqual([
      ['guest'],
      ['host'],
    ]);
    expect(remedies(findings)).toEqual(['paste', 'compact']);
    const [first, second] = findings.map((finding) => textsOf(finding));
    expect(first?.en.title).toBe('On the disk: 2 private keys, 1 machine ID');
    expect(second?.zh.title).toBe('已删除但仍在文件中：1 个私钥、2 个访问令牌');
    const harmless = judged({ deep: deepFacts({ secrets: [secret('shell-history', 1)] }) });
    expect(said(harmless)).toEqual(['advice safety-secrets']);
  });
});
