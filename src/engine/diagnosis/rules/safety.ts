/**
 * Rules: safety. What an image makes programs open, what it would use up, and what it gives away
 * when it is given away. Sizes in bytes.
 */
import type { Remedy } from '../diagnosis.ts';
import type { DiagnosisFacts, SecretFacts, SecretKind } from '../facts.ts';
import type { Found, Rules } from '../rule.ts';
import { isDamaged, rewrite } from './worth.ts';
import { reachOf, type NameReach } from './safety-names.ts';

/** The codes, stable, with what each speaks of. */
export interface SafetyValues {
  /** Another file that the header names. `depth`: 0 for the image itself, 1 for what is below it ... */
  'safety-opens': { name: string; role: 'backing' | 'data-file'; reach: NameReach; depth: number };
  'safety-several-files': { format: string };
  'safety-huge-disk': { virtualSize: number; fileSize: number };
  'safety-huge-table': { bytes: number; virtualSize: number };
  'safety-expands': { packed: number; unpacked: number };
  /** The disk begins like an image. `isRaw`: so does the file. */
  'safety-looks-like-image': { looksLike: string; isRaw: boolean };
  'safety-weak-encryption': { format: string };
  /** Where old content may be: nobody has looked. */
  'safety-remains': { bytes: number; held: number; leaked: number; free: number };
  /** Old content that is there. */
  'safety-remains-found': { bytes: number };
  'safety-snapshots': { snapshots: number; bytes: number; vmState: number };
  /** What the guest sees. */
  'safety-secrets': { found: FoundSecret[] };
  /** What it does not see any more. */
  'safety-old-secrets': { found: FoundSecret[] };
}

export interface FoundSecret {
  kind: SecretKind;
  count: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const HUGE_DISK = 1024 * 1024 * GIB;
const HUGE_L1 = 16 * MIB;
/** Packed zeros reach this; QEMU stores those as zeros, so that other content hardly does. */
const BOMB_RATIO = 1000;
const BOMB_BYTES = GIB;
/** Of less nobody speaks: tables leave as much behind when they move. */
const LEAST_REMAINS = 64 * KIB;
const MANY_REMAINS = MIB;

export const SAFETY_RULES: Rules<SafetyValues> = {
  'safety-opens': judgeNames,
  'safety-several-files': ({ info, file }) => {
    const isOne = !file.severalFiles || info.format !== 'vmdk';
    return isOne ? undefined : { grade: 'note', values: { format: info.format } };
  },
  'safety-huge-disk': ({ info: { virtualSize, fileSize } }) => {
    // A file that is as large as that is no trap.
    if (virtualSize <= HUGE_DISK || fileSize > virtualSize / 1024) return undefined;
    return { grade: 'advice', values: { virtualSize, fileSize } };
  },
  'safety-huge-table': ({ info: { qcow2, virtualSize } }) => {
    const entries = Number(qcow2?.fields.find(({ name }) => name === 'l1Size')?.value ?? 0);
    const bytes = entries * 8;
    if (!(bytes > HUGE_L1)) return undefined;
    return { grade: 'advice', values: { bytes, virtualSize } };
  },
  'safety-expands': ({ survey, info }) => {
    const packed = survey?.space.compressed ?? 0;
    const unpacked = (survey?.clusters?.compressed ?? 0) * (info.clusterSize ?? 0);
    if (unpacked < BOMB_BYTES || unpacked < packed * BOMB_RATIO) return undefined;
    return { grade: 'advice', values: { packed, unpacked } };
  },
  'safety-looks-like-image': judgeLikeness,
  'safety-weak-encryption': ({ info }) => {
    if (info.format !== 'qcow' || !info.encrypted) return undefined;
    const options = { 'encrypt.format': 'luks' };
    const remedies: Remedy[] = [{ kind: 'convert', format: 'qcow2', options, compress: false }];
    return { grade: 'advice', values: { format: info.format }, remedies };
  },
  'safety-remains': judgeRemains,
  'safety-remains-found': judgeFoundRemains,
  'safety-snapshots': ({ info, survey }) => {
    const snapshots = info.snapshots.length;
    if (snapshots === 0) return undefined;
    const { snapshotOnly = 0, vmState = 0 } = survey?.space ?? {};
    return {
      grade: 'note',
      values: { snapshots, bytes: snapshotOnly, vmState },
      remedies: [{ kind: 'compact', snapshots: false }],
    };
  },
  'safety-secrets': judgeSecrets,
  'safety-old-secrets': judgeOldSecrets,
};

function judgeNames({ info, chain }: DiagnosisFacts): Found<'safety-opens'>[] {
  const found: Found<'safety-opens'>[] = [];
  const add = (name: string, role: 'backing' | 'data-file', depth: number) => {
    if (name === '') return;
    const reach = reachOf(name);
    const isPlain = reach === 'beside' || reach === 'path';
    const remedies: Remedy[] =
      depth === 0 && role === 'backing' && !isPlain ? [{ kind: 'flatten' }] : [];
    found.push({
      grade: isPlain ? 'note' : 'problem',
      values: { name, role, reach, depth },
      remedies,
    });
  };
  add(info.backing?.name ?? '', 'backing', 0);
  add(info.qcow2?.dataFile ?? '', 'data-file', 0);
  // What ordinary names further down lead to belongs to the chain; here only what is dangerous.
  for (const [index, { writtenName }] of chain.entries()) {
    const reach = reachOf(writtenName);
    const isPlain = reach === 'beside' || reach === 'path';
    if (index >= 2 && !isPlain) add(writtenName, 'backing', index - 1);
  }
  return found;
}

function judgeLikeness({
  info,
  contentLooksLike: looksLike,
}: DiagnosisFacts): Found<'safety-looks-like-image'> | undefined {
  // A guest may encrypt all of its disk: that is what such a beginning mostly means.
  if (looksLike === '' || looksLike === 'luks' || looksLike === 'raw') return undefined;
  const isRaw = info.format === 'raw';
  const remedies: Remedy[] = isRaw
    ? [{ kind: 'paste', lines: ['-drive file=FILE,format=raw'] }]
    : [];
  return { grade: isRaw ? 'problem' : 'advice', values: { looksLike, isRaw }, remedies };
}

function judgeRemains(facts: DiagnosisFacts): Found<'safety-remains'> | undefined {
  const { survey, deep, info } = facts;
  // Who has looked knows better; what is encrypted tells nothing.
  if (survey === undefined || deep?.staleKnown === true || info.encrypted) return undefined;
  const { zeroHeld: held, leaked, free: inside, tail } = survey.space;
  const free = inside + tail;
  const bytes = held + leaked + free;
  // The last cluster may be begun, and no more.
  if (bytes < Math.max(LEAST_REMAINS, (info.clusterSize ?? 0) + 1)) return undefined;
  const mend = isDamaged(facts) ? [] : rewrite(facts);
  const look: Remedy[] = deep === undefined ? [{ kind: 'deep' }] : [];
  return { grade: 'note', values: { bytes, held, leaked, free }, remedies: [...look, ...mend] };
}

function judgeFoundRemains(facts: DiagnosisFacts): Found<'safety-remains-found'> | undefined {
  const { deep, info } = facts;
  if (deep === undefined || deep.stale < LEAST_REMAINS || info.encrypted) return undefined;
  return {
    grade: deep.stale >= MANY_REMAINS ? 'advice' : 'note',
    values: { bytes: deep.stale },
    places: deep.stalePlaces.map((host) => ({ host })),
    remedies: isDamaged(facts) ? [] : rewrite(facts),
  };
}

/** Whoever has them can get in somewhere; the others only tell of somebody. */
const KEYS: ReadonlySet<SecretKind> = new Set([
  'private-key',
  'password-hash',
  'cloud-credentials',
  'token',
]);

function gradeOf(found: readonly FoundSecret[]): 'problem' | 'advice' {
  return found.some(({ kind }) => KEYS.has(kind)) ? 'problem' : 'advice';
}

function judgeSecrets({ deep }: DiagnosisFacts): Found<'safety-secrets'> | undefined {
  const found = counted(deep?.secrets, ({ count, stale }) => count - stale);
  if (found.length === 0) return undefined;
  return {
    grade: gradeOf(found),
    values: { found },
    places: (deep?.secrets ?? []).flatMap(({ places }) => places.map((guest) => ({ guest }))),
    // On a copy: it takes away what the machine needs, too.
    remedies: [{ kind: 'paste', lines: ['virt-sysprep -a FILE'] }],
  };
}

function judgeOldSecrets(facts: DiagnosisFacts): Found<'safety-old-secrets'> | undefined {
  const { deep, info } = facts;
  const found = counted(deep?.secrets, ({ stale }) => stale);
  if (found.length === 0) return undefined;
  const hasSnapshots = info.snapshots.length > 0;
  const mend: Remedy[] = hasSnapshots ? [{ kind: 'compact', snapshots: false }] : rewrite(facts);
  return {
    grade: gradeOf(found),
    values: { found },
    places: (deep?.secrets ?? []).flatMap((one) => one.stalePlaces.map((host) => ({ host }))),
    remedies: isDamaged(facts) ? [] : mend,
  };
}

function counted(
  secrets: readonly SecretFacts[] = [],
  countOf: (secret: SecretFacts) => number,
): FoundSecret[] {
  return secrets
    .map((secret) => ({ kind: secret.kind, count: countOf(secret) }))
    .filter(({ count }) => count > 0);
}
