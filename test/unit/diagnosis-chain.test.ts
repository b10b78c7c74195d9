/** Rules about the images of a chain: what triggers each, and what must not. */
import { describe, expect, it } from 'vitest';
import {
  diagnosisOf,
  type DiagnosisCode,
  type DiagnosisFacts,
  type DiagnosisFinding,
  type GuardFacts,
  type LayerFacts,
} from '../../src/engine/index.ts';
import type { FileSystemInfo } from '../../src/engine/guest/file-system.ts';
import type { GuestContents } from '../../src/engine/guest/file-system-reader.ts';
import { healthyFacts, healthyInfo, healthyQcow2 } from '../images/diagnosis-facts.ts';
import { expectTexts } from '../images/diagnosis-texts.ts';

const GIB = 2 ** 30;
const NOON = Date.UTC(2026, 0, 1, 12);

function layer(change: Partial<LayerFacts> = {}): LayerFacts {
  return {
    ...{ name: 'base.qcow2', format: 'qcow2', virtualSize: 10 * GIB, fileSize: 3 * GIB },
    ...{ clusterSize: 65536, serves: 3 * GIB, mapped: true, damaged: 0, modified: NOON },
    ...{ missing: false, dirty: false, corrupt: false },
    ...{ writtenName: 'base.qcow2', writtenFormat: 'qcow2' },
    ...change,
  };
}

const TOP: Partial<LayerFacts> = {
  ...{ name: 'disk.qcow2', serves: 2 * GIB, modified: NOON + 3_600_000 },
  ...{ writtenName: '', writtenFormat: '' },
};
const SAME: GuardFacts = { since: NOON, source: 'app', changes: [], otherBase: false };
const BACKING = { name: 'base.qcow2', format: 'qcow2', found: true };

/** An overlay over a base, both sound; a test changes what it is about. */
function chained(
  { top = {}, base = {}, more = [] as LayerFacts[] } = {},
  change: Partial<DiagnosisFacts> = {},
): DiagnosisFacts {
  return healthyFacts({
    info: healthyInfo({ backing: BACKING }),
    chain: [layer({ ...TOP, ...top }), layer(base), ...more],
    guard: SAME,
    ...change,
  });
}

function found(facts: DiagnosisFacts): DiagnosisFinding[] {
  const findings = diagnosisOf(facts).findings.filter(({ area }) => area === 'chain');
  for (const finding of findings) expectTexts(finding);
  return findings;
}

const codes = (facts: DiagnosisFacts) => found(facts).map(({ code }) => code);

function one<C extends DiagnosisCode>(facts: DiagnosisFacts, code: C): DiagnosisFinding<C> {
  const all = found(facts).filter((finding) => finding.code === code);
  expect(all).toHaveLength(1);
  return all[0] as DiagnosisFinding<C>;
}

function guest(start: number, change: Partial<FileSystemInfo>): GuestContents {
  const system: FileSystemInfo = {
    ...{ kind: 'ext4', label: '', uuid: 'aaaa', size: GIB, used: undefined, blockSize: 4096 },
    ...{ isDirty: false, isCut: false, isDamaged: false, ...change },
  };
  const partition = { number: 1, start, length: GIB, type: '83', name: '' };
  const table = { scheme: 'mbr' as const, partitions: [partition], gpt: undefined };
  return { table, inside: [system], whole: undefined };
}

describe('rules of the chain', () => {
  it('say nothing of an image that stands alone, nor of a sound chain', () => {
    expect(codes(healthyFacts())).toEqual([]);
    expect(codes(chained())).toEqual([]);
  });

  it('a missing base, by what depends on it', () => {
    const gone = { missing: true, format: '', virtualSize: 0, fileSize: 0, clusterSize: 0 };
    const facts = chained({ base: { ...gone, modified: undefined } }, { guard: undefined });
    expect(codes(facts)).toEqual(['chain-base-missing']);
    expect(one(facts, 'chain-base-missing')).toMatchObject({
      ...{ grade: 'problem', values: { bytes: 3 * GIB, virtualSize: 10 * GIB, exact: true } },
      remedies: [{ kind: 'give-file', name: 'base.qcow2' }],
    });
    const unneeded = chained({ base: { ...gone, serves: 0 } }, { guard: undefined });
    expect(one(unneeded, 'chain-base-missing').grade).toBe('advice');
    const unknown = chained({ base: { ...gone, serves: 0, mapped: false } });
    expect(one(unknown, 'chain-base-missing').grade).toBe('problem');
  });

  it('other sizes below', () => {
    const smaller = chained({ base: { virtualSize: 2 * GIB } });
    expect(one(smaller, 'chain-base-smaller').grade).toBe('note');
    const larger = chained({ base: { virtualSize: 12 * GIB } });
    expect(one(larger, 'chain-base-larger').values).toMatchObject({ below: 12 * GIB });
    const missing = chained({ base: { virtualSize: 0, missing: true } });
    expect(codes(missing)).not.toContain('chain-base-smaller');
  });

  it('a base that is newer, but not by seconds, not under nothing, not where it is the same', () => {
    const written = (ms: number, guard?: GuardFacts, top = {}) =>
      codes(chained({ top: { modified: NOON, ...top }, base: { modified: NOON + ms } }, { guard }));
    expect(written(60_000)).toContain('chain-base-newer');
    expect(written(9_000)).not.toContain('chain-base-newer');
    expect(written(60_000, SAME)).not.toContain('chain-base-newer');
    expect(written(60_000, undefined, { serves: 0 })).not.toContain('chain-base-newer');
    expect(written(60_000, undefined, { modified: undefined })).not.toContain('chain-base-newer');
  });

  it('a changed base is a danger, another file size alone is none', () => {
    const changed = (changes: GuardFacts['changes'], otherBase = false) =>
      chained({}, { guard: { since: NOON, source: 'header', changes, otherBase } });
    const facts = changed(['size', 'metadata', 'content']);
    expect(one(facts, 'chain-base-changed')).toMatchObject({
      ...{ grade: 'danger', values: { harmless: false } },
    });
    expect(diagnosisOf(facts).verdict).toBe('danger');
    expect(one(changed(['size']), 'chain-base-changed').grade).toBe('note');
    expect(codes(changed(['content'], true))).toEqual(['chain-guard-outdated']);
    expect(codes(changed([], true))).toEqual([]);
  });

  it('a base that is corrupt, unclean or damaged', () => {
    expect(one(chained({ base: { corrupt: true } }), 'chain-base-corrupt').grade).toBe('problem');
    expect(codes(chained({ base: { corrupt: true, dirty: true } }))).toEqual([
      'chain-base-corrupt',
    ]);
    expect(one(chained({ base: { dirty: true } }), 'chain-base-dirty').grade).toBe('advice');
    expect(codes(chained({ base: { damaged: 65536 } }))).toEqual(['chain-base-damaged']);
    // Of the image itself, others speak.
    const own = { dirty: true, corrupt: true, damaged: 65536 };
    expect(codes(chained({ top: own }))).toEqual([]);
  });

  it('a base whose format is not recorded', () => {
    const unnamed = { writtenFormat: '' };
    const raw = one(
      chained({ base: { ...unnamed, format: 'raw', clusterSize: 0 } }),
      'chain-format-missing',
    );
    expect(raw).toMatchObject({
      ...{ grade: 'problem', remedies: [{ kind: 'relink', format: 'raw' }] },
    });
    expect(one(chained({ base: unnamed }), 'chain-format-missing').grade).toBe('advice');
    const third = layer({ ...unnamed, name: 'third' });
    expect(one(chained({ more: [third] }), 'chain-format-missing').remedies).toEqual([]);
    // These formats have no place for it, and descriptions have it within.
    expect(codes(chained({ top: { format: 'vmdk' }, base: unnamed }))).toEqual([]);
    expect(codes(chained({ base: { ...unnamed, writtenName: 'json:{}' } }))).toEqual([]);
  });

  it.each(['/var/base.qcow2', 'C:\\base.qcow2', 'file:/base.qcow2', '\\\\server\\x'])(
    'a full path: %s',
    (writtenName) => {
      expect(one(chained({ base: { writtenName } }), 'chain-absolute-names').values.count).toBe(1);
    },
  );

  it.each(['base.qcow2', '../base.qcow2', 'nbd:host:1', 'C:base'])('no full path: %s', (name) => {
    expect(codes(chained({ base: { writtenName: name } }))).toEqual([]);
  });

  it('clusters of different sizes, where there are clusters', () => {
    const { values } = one(chained({ base: { clusterSize: 2 ** 21 } }), 'chain-cluster-sizes');
    expect(values).toEqual({ smallest: 65536, largest: 2 ** 21 });
    expect(codes(chained({ base: { clusterSize: 0, format: 'raw' } }))).toEqual([]);
  });

  it('a base that nothing is remembered of', () => {
    const facts = chained({}, { guard: undefined });
    expect(one(facts, 'chain-unguarded')).toMatchObject({
      ...{ grade: 'note', remedies: [{ kind: 'guard' }] },
    });
    const other = chained({ top: { format: 'vmdk' } }, { guard: undefined });
    expect(codes(other)).toEqual([]);
  });

  it('another file system at the same place', () => {
    const differ = (
      here: Partial<FileSystemInfo>,
      start = 2 ** 20,
      guard: GuardFacts | undefined = undefined,
    ) =>
      codes(
        chained({}, { guard, guest: guest(2 ** 20, here), guestBelow: guest(start, {}) }),
      ).includes('chain-guest-differs');
    expect(differ({ uuid: 'bbbb' })).toBe(true);
    expect(differ({})).toBe(false);
    expect(differ({ uuid: '' })).toBe(false);
    expect(differ({ uuid: 'bbbb', kind: 'xfs' })).toBe(false);
    expect(differ({ uuid: 'bbbb', isDamaged: true })).toBe(false);
    expect(differ({ uuid: 'bbbb' }, 2 ** 21)).toBe(false);
    expect(differ({ uuid: 'bbbb' }, 2 ** 20, SAME)).toBe(false);
  });

  it('version 2 on a base', () => {
    const qcow2 = healthyQcow2({ version: 2, compat: '0.10' });
    expect(codes(chained({}, { info: healthyInfo({ backing: BACKING, qcow2 }) }))).toEqual([
      'chain-version-2',
    ]);
    expect(codes(healthyFacts({ info: healthyInfo({ qcow2 }) }))).toEqual([]);
  });

  it('an overlay that holds nothing, and a base that nothing comes from', () => {
    expect(codes(chained({ top: { serves: 0 } }))).toEqual(['chain-empty-overlay']);
    const unused = one(chained({ base: { serves: 0 } }), 'chain-base-unused');
    expect(unused.remedies).toEqual([{ kind: 'flatten' }]);
    // Not known, not all of it, or a snapshot may need it.
    expect(codes(chained({ base: { serves: 0, mapped: false } }))).toEqual([]);
    expect(codes(chained({ base: { serves: 0 }, more: [layer()] }))).toEqual([]);
    const snapshot = { id: '1', name: 's', vmStateSize: 0, dateSeconds: 0, dateNanoseconds: 0 };
    const snapshots = [{ ...snapshot, vmClockNanoseconds: 0, icount: undefined, diskSize: 1 }];
    const info = healthyInfo({ backing: BACKING, snapshots });
    expect(codes(chained({ base: { serves: 0 } }, { info }))).toEqual([]);
  });
});
