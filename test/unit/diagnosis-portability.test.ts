/** Rules of portability: what keeps other programs from opening an image, and how to do without. */
import { describe, expect, it } from 'vitest';
import { qemuSince, READER_FEATURES, refusing } from '../../src/engine/diagnosis/readers.ts';
import { judgeArea } from '../../src/engine/diagnosis/rule.ts';
import { PORTABILITY_RULES } from '../../src/engine/diagnosis/rules/portability.ts';
import {
  diagnose,
  openImage,
  type DiagnosisFacts,
  type DiagnosisFinding,
  type ImageInfo,
  type PortabilityValues,
  type Qcow2Info,
} from '../../src/engine/index.ts';
import { buildQcow2, type ImageSpec } from '../images/build-qcow2.ts';
import { healthyFacts, healthyInfo, healthyQcow2 } from '../images/diagnosis-facts.ts';
import { expectTexts } from '../images/diagnosis-texts.ts';
import { memory } from '../images/memory.ts';

function judge(facts: DiagnosisFacts): DiagnosisFinding[] {
  return judgeArea('portability', PORTABILITY_RULES, facts);
}

function qcow2(change: Partial<Qcow2Info>, more: Partial<ImageInfo> = {}): DiagnosisFacts {
  return healthyFacts({ info: healthyInfo({ qcow2: healthyQcow2(change), ...more }) });
}

const BACKING = { backing: { name: 'base.qcow2', format: 'qcow2', found: true } };
const SNAPSHOT = {
  ...{ id: '1', name: 's', vmStateSize: 0, dateSeconds: 0, dateNanoseconds: 0 },
  ...{ vmClockNanoseconds: 0, icount: undefined, diskSize: healthyInfo().virtualSize },
};

const TRIGGERS: { readonly [C in keyof PortabilityValues]: readonly DiagnosisFacts[] } = {
  'readers-limited': [
    qcow2({ compressionType: 'zstd' }),
    qcow2({ extendedL2: true }),
    qcow2({ dataFile: 'disk.raw' }),
    qcow2({ encryption: 'luks' }),
    qcow2({ encryption: 'aes' }),
    qcow2({ dirty: true }),
    qcow2({ corrupt: true }),
    qcow2({}, BACKING),
  ],
  'aes-not-run': [qcow2({ encryption: 'aes' })],
  'snapshots-stay-behind': [qcow2({}, { snapshots: [SNAPSHOT] })],
  'refcount-width-unusual': [qcow2({ refcountBits: 64 }), qcow2({ refcountBits: 8 })],
  'lazy-refcounts-elsewhere': [qcow2({ lazyRefcounts: true })],
};

describe('rules of portability', () => {
  it.each(Object.entries(TRIGGERS))('%s is found', (code, all) => {
    for (const facts of all) {
      const found = judge(facts).filter((one) => one.code === code);
      expect(found).toHaveLength(1);
      for (const one of found) expectTexts(one);
    }
  });

  it('nothing is said of a plain image, nor of other formats', () => {
    expect(judge(healthyFacts())).toEqual([]);
    expect(judge(qcow2({ version: 2, compat: '0.10' }))).toEqual([]);
    expect(judge(qcow2({ refcountBits: 1 }))).toEqual([]);
    const vmdk = healthyInfo({ format: 'vmdk', qcow2: undefined, ...BACKING });
    expect(judge(healthyFacts({ info: vmdk }))).toEqual([]);
  });

  it('nothing is graded above advice', () => {
    const all = Object.values(TRIGGERS).flat().flatMap(judge);
    expect(new Set(all.map(({ grade }) => grade))).toEqual(new Set(['note', 'advice']));
  });

  it('names the first QEMU that knows all, and who refuses any', () => {
    const [both] = judge(qcow2({ compressionType: 'zstd', extendedL2: true }, BACKING));
    expect(both?.values).toEqual({
      features: ['backing', 'extended-l2', 'zstd'],
      qemu: '5.2',
      programs: [
        ...['OpenStack', 'KubeVirt CDI', 'Lima', '7-Zip', 'imago (libkrun)', 'ublk (qcow2-rs)'],
      ],
    });
    expect(qemuSince(['luks', 'data-file'])).toBe('4.0');
    expect(qemuSince(['zstd', 'luks'])).toBe('5.1');
    expect(qemuSince(['dirty', 'backing'])).toBe('');
    expect(refusing(['zstd'])).not.toContain('OpenStack');
    for (const feature of READER_FEATURES) expect(refusing([feature])).not.toEqual([]);
  });

  it('lowers what can be lowered', () => {
    const remedies = (facts: DiagnosisFacts) => judge(facts)[0]?.remedies;
    expect(remedies(qcow2({}, BACKING))).toEqual([{ kind: 'flatten' }]);
    const alone = qcow2({}, BACKING);
    const [top] = alone.chain;
    // What is not here cannot be copied into the image.
    const chain = [top!, { ...top!, missing: true, format: '' }];
    expect(remedies({ ...alone, chain })).toEqual([]);
    expect(remedies(qcow2({ dirty: true }))).toEqual([{ kind: 'repair' }]);
    expect(remedies(qcow2({ encryption: 'luks' }))).toEqual([]);
    // A conversion brings everything into one file anyway.
    const packed = { kind: 'convert', format: 'qcow2', options: {}, compress: false };
    expect(remedies(qcow2({ extendedL2: true }, BACKING))).toEqual([packed]);
  });

  it('version 2 is offered only where the image can become it', () => {
    const can = (facts: DiagnosisFacts) =>
      judge(facts).find(({ code }) => code === 'lazy-refcounts-elsewhere')?.remedies.length === 2;
    const lazy = { lazyRefcounts: true };
    expect(can(qcow2(lazy))).toBe(true);
    expect(can(qcow2(lazy, { snapshots: [SNAPSHOT] }))).toBe(true);
    expect(can(qcow2(lazy, { snapshots: [{ ...SNAPSHOT, diskSize: 512 }] }))).toBe(false);
    expect(can(qcow2({ ...lazy, refcountBits: 8 }))).toBe(false);
    const zstd = { set: 'incompatible' as const, bit: 3, name: '', known: true };
    expect(can(qcow2({ ...lazy, features: [zstd] }))).toBe(false);
  });
});

describe('portability of images', () => {
  const SIZE = 64 * 2 ** 20;
  const zeros = new Uint8Array(2 ** 16);
  const IMAGES: [string, Partial<ImageSpec>, string[]][] = [
    ['version 3', {}, []],
    ['version 2', { version: 2 }, []],
    ['zlib', { clusters: new Map([[0, { kind: 'compressed', bytes: zeros }]]) }, []],
    ['zstd', { compression: 'zstd' }, ['readers-limited']],
    ['subclusters', { extendedL2: true }, ['readers-limited']],
    ['a backing file', { backing: { name: 'b.raw', format: 'raw' } }, ['readers-limited']],
    ['a snapshot', { snapshots: [{ id: '1', name: 's' }] }, ['snapshots-stay-behind']],
    ['64-bit counts', { refcountBits: 64 }, ['refcount-width-unusual']],
  ];

  it.each(IMAGES)('%s', async (_, change, codes) => {
    const { bytes } = buildQcow2({ size: SIZE, clusters: new Map(), ...change });
    const checked = await openImage(await memory(bytes), { mode: 'check' });
    const { findings } = await diagnose({ checked, readable: undefined }, { now: 0 });
    const portability = findings.filter(({ area }) => area === 'portability');
    expect(portability.map(({ code }) => code)).toEqual(codes);
    for (const finding of portability) expectTexts(finding);
  });
});
