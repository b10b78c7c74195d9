/** Rules of health over facts: each code with what triggers it, and with what must not. */
import { describe, expect, it } from 'vitest';
import { judgeArea } from '../../src/engine/diagnosis/rule.ts';
import { HEALTH_RULES } from '../../src/engine/diagnosis/rules/health.ts';
import type {
  CheckReport,
  DeepFacts,
  DiagnosisFacts,
  DiagnosisFinding,
  Finding,
  FindingKind,
  GuestContents,
  HealthValues,
  Qcow2Info,
} from '../../src/engine/index.ts';
import { FINDING_KINDS } from '../../src/engine/operations/finding.ts';
import { healthyFacts, healthyInfo, healthyQcow2 } from '../images/diagnosis-facts.ts';
import { expectTexts } from '../images/diagnosis-texts.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const TIB = 1024 * GIB;
const CLUSTER = 64 * KIB;

function judge(facts: DiagnosisFacts): DiagnosisFinding[] {
  return judgeArea('health', HEALTH_RULES, facts);
}

function finding(kind: FindingKind, change: Partial<Finding> = {}): Finding {
  return {
    ...{ kind, severity: 'corruption', repair: 'safe', values: {} },
    ...{ host: { offset: 5 * CLUSTER, length: CLUSTER }, guest: { offset: 0, length: CLUSTER } },
    ...change,
  };
}

/** Facts with these findings of a check. */
function checked(findings: Finding[], change: Partial<DiagnosisFacts> = {}): DiagnosisFacts {
  const healthy = healthyFacts();
  const findingCounts: CheckReport['findingCounts'] = {};
  for (const { kind } of findings) findingCounts[kind] = (findingCounts[kind] ?? 0) + 1;
  const corruptions = findings.filter(({ severity }) => severity === 'corruption').length;
  const check = { ...healthy.check, findings, findingCounts, corruptions } as CheckReport;
  return { ...healthy, check, ...change };
}

const kind = (of: FindingKind, change: Partial<Finding> = {}) => checked([finding(of, change)]);

function qcow2(change: Partial<Qcow2Info>, more: Partial<DiagnosisFacts['info']> = {}) {
  return healthyFacts({ info: healthyInfo({ qcow2: healthyQcow2(change), ...more }) });
}

function info(change: Partial<DiagnosisFacts['info']>): DiagnosisFacts {
  return healthyFacts({ info: healthyInfo(change) });
}

function deep(change: Partial<DeepFacts>): DiagnosisFacts {
  const none = {
    ...{ bytesRead: GIB, packedClusters: 0, brokenPacked: 0, brokenPlaces: [], snapshotPacked: 0 },
    ...{ brokenSnapshotPacked: 0, unreadable: 0, unreadablePlaces: [], zeroFilled: 0 },
    ...{ equalToBacking: 0, sampled: 0, sampledPacked: 0, staleKnown: true, stale: 0 },
    ...{ stalePlaces: [], secrets: [] },
  };
  return healthyFacts({ deep: { ...none, ...change } });
}

type Inside = Exclude<GuestContents['inside'][number], 'unreadable' | undefined>;

/** One partition of 5 GiB with ext4, on a disk of 10 GiB. */
function guest(
  change: { inside?: Partial<Inside> | 'unreadable'; length?: number; type?: string } = {},
  gpt: Partial<NonNullable<NonNullable<GuestContents['table']>['gpt']>> = {},
): DiagnosisFacts {
  const { inside = {}, length = 5 * GIB, type = '83' } = change;
  const system: Inside = {
    ...{ kind: 'ext4', label: '', uuid: '', size: length, used: GIB, blockSize: 4096 },
    ...{ isDirty: false, isCut: false, isDamaged: false },
    ...(inside === 'unreadable' ? {} : inside),
  };
  const sound = {
    ...{ primary: true, backup: true, backupStart: 10 * GIB - 33 * 512, backupEnd: 10 * GIB },
    ...gpt,
  };
  return healthyFacts({
    guest: {
      table: {
        ...{ scheme: 'gpt', gpt: sound },
        partitions: [{ number: 1, start: MIB, length, type, name: '' }],
      },
      inside: [inside === 'unreadable' ? inside : system],
      whole: undefined,
    },
  });
}

/** The same on a disc that also starts from a stick. */
function disc(facts: DiagnosisFacts): DiagnosisFacts {
  const [inside] = facts.guest?.inside ?? [];
  if (facts.guest === undefined || typeof inside !== 'object') return facts;
  return { ...facts, guest: { ...facts.guest, whole: { ...inside, kind: 'iso9660' } } };
}

const snapshot = {
  ...{ name: 's', vmStateSize: 0, dateSeconds: 0, dateNanoseconds: 0, vmClockNanoseconds: 0 },
  ...{ icount: undefined, diskSize: 10 * GIB },
};
const snapshots = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ ...snapshot, id: String(index + 1) }));
const bitmap = { name: 'daily', granularity: CLUSTER, flags: ['auto' as const] };
const BEHIND = { dirty: true, lazyRefcounts: true };
const unreadable: Partial<Finding> = { severity: 'error', repair: 'none' };

/** What must trigger each code: the compiler finds a code without. The first is looked at closer. */
const TRIGGERS: { readonly [C in keyof HealthValues]: readonly DiagnosisFacts[] } = {
  'overwrite-risk': [kind('refcount-low'), kind('refcount-zero')],
  'double-owner': [
    kind('overlap', { severity: 'notice', repair: 'guess' }),
    kind('refblock-shared'),
    kind('block-duplicate'),
  ],
  'points-outside': [kind('reference-outside'), kind('block-outside', { repair: 'none' })],
  'table-damaged': [kind('l2-reserved-bits'), kind('l2-unaligned'), kind('block-state')],
  'table-unreadable': [
    kind('io-error', unreadable),
    kind('io-error', { ...unreadable, values: { name: 'disk-s002.vmdk' } }),
  ],
  'odd-entries': [kind('zero-in-v2'), kind('zero-unaligned')],
  'refcounts-damaged': [kind('refblock-unaligned'), kind('refcount-unreadable')],
  'refcount-full': [kind('refcount-overflow', { repair: 'none' })],
  'copied-flags': [
    kind('copied-l2', { values: { entry: '8000000000050000', refcount: 2 } }),
    kind('copied-l1', { values: { entry: '50000', refcount: 1 } }),
    kind('compressed-copied'),
  ],
  leaked: [
    kind('leak', { severity: 'leak' }),
    kind('leak', { severity: 'leak', repair: 'guess' }),
    kind('tail-leak', { severity: 'leak', repair: 'none' }),
  ],
  'snapshot-damaged': [kind('snapshot-l1-unaligned'), kind('snapshot-table-invalid')],
  'snapshot-incomplete': [kind('snapshot-incomplete')],
  'snapshots-void': [kind('snapshots-with-data-file', { repair: 'none' })],
  'bitmap-damaged': [kind('bitmap-invalid', { values: { name: 'daily' } })],
  truncated: [
    kind('truncated', { host: { offset: 2 * GIB, length: GIB } }),
    checked([{ kind: 'truncated', severity: 'notice', values: {}, repair: 'none' }]),
  ],
  'header-copy-damaged': [kind('header-copy'), kind('header-checksum', { repair: 'none' })],
  'tables-differ': [kind('table-copy')],
  'sizes-differ': [
    kind('size-contradiction', { values: { geometry: 9 * GIB, current: 10 * GIB } }),
    kind('size-contradiction', { values: { geometry: 10 * GIB - MIB, current: 10 * GIB } }),
  ],
  'count-wrong': [kind('allocation-count', { values: { allocated: 7, counted: 9 } })],
  'log-pending': [kind('log-pending')],
  'parent-changed': [healthyFacts({ noticed: [finding('parent-changed')] })],
  'extension-damaged': [kind('extension-damaged')],
  'content-damaged': [kind('content-checksum', { repair: 'none' })],
  'check-aborted': [
    checked([], { check: { ...checked([]).check, aborted: 'Invalid argument' } as CheckReport }),
  ],
  'check-refused': [healthyFacts({ check: undefined, checkRefused: 'too-large' })],
  'in-use': [healthyFacts({ changedMeanwhile: true })],
  'not-closed': [
    qcow2({ dirty: true }),
    qcow2(BEHIND),
    checked([finding('refcount-zero')], { info: healthyInfo({ qcow2: healthyQcow2(BEHIND) }) }),
    kind('dirty', { severity: 'notice' }),
  ],
  'marked-corrupt': [
    qcow2({ corrupt: true }),
    checked([finding('overlap')], {
      info: healthyInfo({ qcow2: healthyQcow2({ corrupt: true }) }),
    }),
  ],
  'unknown-features': [
    qcow2({ features: [{ set: 'incompatible', bit: 7, name: '', known: false }] }),
  ],
  'bitmaps-stale': [
    qcow2({ bitmapsInconsistent: true }),
    qcow2({ bitmaps: [bitmap], bitmapsInconsistent: true }),
  ],
  'bitmaps-in-use': [qcow2({ bitmaps: [{ ...bitmap, flags: ['in-use'] }] })],
  'snapshots-left': [
    qcow2({ refcountBits: 1 }),
    qcow2({ refcountBits: 2 }, { snapshots: snapshots(2) }),
    qcow2({ refcountBits: 8 }, { snapshots: snapshots(250) }),
  ],
  'size-limit': [qcow2({}, { clusterSize: 512, virtualSize: 120 * GIB })],
  'file-limit': [qcow2({ refcountBits: 64 }, { clusterSize: 512, fileSize: 31 * GIB })],
  'old-version': [qcow2({ version: 2, compat: '0.10' })],
  'room-needed': [info({ virtualSize: 2 * TIB })],
  'packed-broken': [
    deep({ packedClusters: 9, brokenPacked: 2, brokenPlaces: [{ offset: 0, length: CLUSTER }] }),
  ],
  'content-unreadable': [
    deep({ unreadable: CLUSTER, unreadablePlaces: [{ offset: 0, length: CLUSTER }] }),
  ],
  'guest-unclean': [
    guest({ inside: { isDirty: true } }),
    guest({ inside: { isDirty: true, kind: 'fat32' } }),
  ],
  'guest-damaged': [guest({ inside: { isDamaged: true } })],
  'guest-cut': [guest({ inside: { isCut: true, size: 6 * GIB } })],
  'partition-outside': [guest({ length: 12 * GIB })],
  'partition-unreadable': [guest({ inside: 'unreadable' })],
  'gpt-header-damaged': [guest({}, { primary: false }), guest({}, { backup: false })],
  'gpt-not-at-end': [guest({}, { backupEnd: 8 * GIB })],
  'guest-full': [guest({ inside: { used: 4.95 * GIB } })],
};

/** What comes near and must not. */
const QUIET: { readonly [C in keyof HealthValues]?: readonly DiagnosisFacts[] } = {
  'overwrite-risk': [
    // The counts lag behind, and are made up for: that is said of the image as a whole.
    checked([finding('refcount-zero')], { info: healthyInfo({ qcow2: healthyQcow2(BEHIND) }) }),
    // No count is right where two own a cluster.
    checked([finding('refcount-low', { repair: 'guess' }), finding('overlap')]),
  ],
  'points-outside': [checked([finding('truncated'), finding('reference-outside')])],
  // The mark is right, the count is not.
  'copied-flags': [
    checked([finding('refcount-zero'), finding('copied-l2', { values: { entry: '1' } })]),
  ],
  'snapshot-incomplete': [checked([finding('truncated'), finding('snapshot-incomplete')])],
  leaked: [
    checked([finding('truncated'), finding('leak')]),
    kind('tail-leak', { severity: 'leak', host: { offset: GIB, length: 3584 } }),
    checked([finding('leak')], { info: healthyInfo({ qcow2: healthyQcow2(BEHIND) }) }),
  ],
  'check-refused': [healthyFacts({ check: undefined, checkRefused: 'check-unsupported' })],
  'not-closed': [checked([finding('log-pending'), finding('dirty')])],
  'unknown-features': [
    qcow2({ features: [{ set: 'compatible', bit: 7, name: '', known: false }] }),
  ],
  'bitmaps-stale': [qcow2({ bitmaps: [bitmap] })],
  'bitmaps-in-use': [qcow2({ bitmaps: [bitmap] })],
  'snapshots-left': [
    qcow2({ refcountBits: 2 }),
    qcow2({ refcountBits: 1, dataFile: 'data' }),
    qcow2({}, { snapshots: snapshots(300) }),
  ],
  'size-limit': [qcow2({}, { virtualSize: 1024 * TIB }), qcow2({}, { clusterSize: 512 })],
  'room-needed': [
    info({ virtualSize: 2 * TIB, allocatedSize: 2 * TIB }),
    info({ format: 'raw', virtualSize: 2 * TIB, qcow2: undefined }),
  ],
  'packed-broken': [deep({ packedClusters: 9 })],
  'content-unreadable': [deep({})],
  'guest-cut': [guest({ length: 12 * GIB, inside: { isCut: true } })],
  'partition-outside': [
    guest(),
    guest({ length: 12 * GIB, type: '0f' }),
    disc(guest({ length: 12 * GIB })),
  ],
  'gpt-header-damaged': [
    guest({}, { backup: false, backupEnd: 12 * GIB }),
    disc(guest({}, { backup: false })),
  ],
  'gpt-not-at-end': [
    guest({}, { backupEnd: 10 * GIB - 4096 }),
    disc(guest({}, { backupEnd: 8 * GIB })),
  ],
  'guest-full': [
    guest({ inside: { kind: 'squashfs', used: 5 * GIB } }),
    guest({ inside: { used: undefined } }),
    guest({ length: GIB, inside: { used: GIB } }),
  ],
};

describe('rules of health', () => {
  it.each(Object.entries(TRIGGERS))('%s is found', (code, all) => {
    for (const facts of all) {
      const found = judge(facts).filter((one) => one.code === code);
      expect(found).toHaveLength(1);
      for (const one of found) expectTexts(one);
    }
  });

  it.each(Object.entries(QUIET))('%s is not found where it is not', (code, all) => {
    for (const facts of all) expect(judge(facts).map((one) => one.code)).not.toContain(code);
  });

  it('nothing is said of a sound image', () => {
    expect(judge(healthyFacts())).toEqual([]);
    expect(judge(guest())).toEqual([]);
    expect(judge(healthyFacts({ check: undefined, checkRefused: 'check-unsupported' }))).toEqual(
      [],
    );
  });

  it.each(FINDING_KINDS)('something is said of %s', (of) => {
    const found = judge(kind(of));
    expect(found.length).toBeGreaterThan(0);
    for (const one of found) expectTexts(one);
    // The same where it was noticed when the image was opened.
    expect(judge(healthyFacts({ noticed: [finding(of)] })).length).toBeGreaterThan(0);
  });

  it('grades by what can be lost', () => {
    const grade = (code: keyof HealthValues) =>
      TRIGGERS[code].map((facts) => judge(facts).find((one) => one.code === code)?.grade);
    expect(grade('copied-flags')).toEqual(['danger', 'problem', 'danger']);
    expect(grade('marked-corrupt')).toEqual(['problem', 'danger']);
    expect(grade('not-closed')).toEqual(['problem', 'advice', 'problem', 'problem']);
    expect(grade('leaked')).toEqual(['advice', 'advice', 'advice']);
    expect(grade('sizes-differ')).toEqual(['advice', 'note']);
    expect(grade('guest-unclean')).toEqual(['note', 'advice']);
  });

  it('counts all, and shows some of the places', () => {
    const findings = Array.from({ length: 30 }, (_, index) =>
      finding('l2-reserved-bits', { guest: { offset: index * CLUSTER, length: 2 * CLUSTER } }),
    );
    const [found] = judge(checked(findings));
    expect(found).toMatchObject({ values: { entries: 30, bytes: 31 * CLUSTER } });
    expect(found?.places).toHaveLength(20);
    expect(found?.places[1]?.guest).toEqual({ offset: CLUSTER, length: 2 * CLUSTER });
  });

  it('names limits and what lifts them', () => {
    const [narrow] = judge(qcow2({ refcountBits: 2 }, { snapshots: snapshots(2) }));
    expect(narrow).toMatchObject({
      values: { snapshots: 2, left: 0, most: 2, bits: 2 },
      remedies: [{ kind: 'amend', options: { refcount_bits: '16' } }],
    });
    const [small] = judge(qcow2({}, { clusterSize: 512, virtualSize: 120 * GIB }));
    expect(small).toMatchObject({
      values: { most: 128 * GIB, better: CLUSTER },
      remedies: [{ kind: 'convert', options: { cluster_size: '65536' } }],
    });
  });
});
