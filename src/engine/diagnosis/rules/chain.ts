/** Rules: chain. What is wrong between an image and those below it. */
import type { Found, Rules } from '../rule.ts';
import type { DiagnosisFacts, GuardFacts, LayerFacts } from '../facts.ts';
import type { FileSystemInfo } from '../../guest/file-system.ts';
import type { GuestContents } from '../../guest/file-system-reader.ts';

/** The codes, stable, with what each speaks of. Sizes in bytes, times in milliseconds since 1970. */
export interface ChainValues {
  /** `bytes` of a disk of `virtualSize` come from it; `exact`: not only at least. */
  'chain-base-missing': { name: string; bytes: number; virtualSize: number; exact: boolean };
  /** The disk of `name` has `below` bytes, that of `above`, which is based on it, `size`. */
  'chain-base-smaller': { name: string; above: string; below: number; size: number };
  'chain-base-larger': { name: string; above: string; below: number; size: number };
  /** When the two files were written last. */
  'chain-base-newer': { name: string; above: string; below: number; modified: number };
  /** `harmless`: the file has another size, and nothing in it that an overlay reads is different. */
  'chain-base-changed': {
    name: string;
    since: number;
    changes: GuardFacts['changes'];
    harmless: boolean;
  };
  /** What is remembered is of another base: one that was named otherwise. */
  'chain-guard-outdated': { name: string; since: number };
  'chain-base-corrupt': { name: string };
  'chain-base-dirty': { name: string };
  /** Guest bytes that come from it, for which its tables say nothing that could be right. */
  'chain-base-damaged': { name: string; bytes: number };
  /** `raw`: what is below is a raw disk, whose content is the guest's. */
  'chain-format-missing': { name: string; above: string; format: string; raw: boolean };
  /** `count` images are named by a path from the root; the first is `name`. */
  'chain-absolute-names': { name: string; count: number };
  'chain-cluster-sizes': { smallest: number; largest: number };
  'chain-unguarded': { name: string };
  /** The same place of the disk holds one file system here and another one below. */
  'chain-guest-differs': { name: string; kind: string; here: string; below: string };
  'chain-version-2': { name: string };
  'chain-empty-overlay': { name: string };
  'chain-base-unused': { name: string; bytes: number };
}

/** Clocks and file systems are no more exact than this, and writing takes its time. Milliseconds. */
const SAME_TIME = 10_000;

export const CHAIN_RULES: Rules<ChainValues> = {
  'chain-base-missing': ({ chain }) => {
    const last = chain.at(-1);
    if (last?.missing !== true) return undefined;
    const { name, serves: bytes, mapped: exact } = last;
    const virtualSize = chain[0]?.virtualSize ?? 0;
    const isNeeded = bytes > 0 || !exact;
    return {
      grade: isNeeded ? 'problem' : 'advice',
      values: { name, bytes, virtualSize, exact },
      remedies: [{ kind: 'give-file', name }],
    };
  },

  'chain-base-smaller': ({ chain }) =>
    sizesOf(chain, (below, size) => below < size).map((values) => ({ grade: 'note', values })),

  'chain-base-larger': ({ chain }) =>
    sizesOf(chain, (below, size) => below > size).map((values) => ({ grade: 'advice', values })),

  'chain-base-newer': ({ chain, guard }) => {
    const pair = pairsOf(chain).find(
      ({ above, below, depth }) => isNewer(above, below) && !(depth === 1 && isSame(guard)),
    );
    const below = pair?.below.modified;
    const modified = pair?.above.modified;
    if (pair === undefined || below === undefined || modified === undefined) return undefined;
    const values = { name: pair.below.name, above: pair.above.name, below, modified };
    return { grade: 'advice', values };
  },

  'chain-base-changed': ({ chain, guard }) => {
    if (guard === undefined || guard.otherBase || guard.changes.length === 0) return undefined;
    const { since, changes } = guard;
    const harmless = changes.every((change) => change === 'size');
    return {
      grade: harmless ? 'note' : 'danger',
      values: { name: nameBelow(chain), since, changes, harmless },
      remedies: harmless ? [{ kind: 'guard' }] : [],
    };
  },

  'chain-guard-outdated': ({ chain, guard }) => {
    if (guard?.otherBase !== true || guard.changes.length === 0) return undefined;
    const values = { name: nameBelow(chain), since: guard.since };
    return { grade: 'advice', values, remedies: [{ kind: 'guard' }] };
  },

  'chain-base-corrupt': ({ chain }) =>
    chain
      .slice(1)
      .filter(({ corrupt }) => corrupt)
      .map(({ name }) => ({ grade: 'problem', values: { name } })),

  'chain-base-dirty': ({ chain }) =>
    chain
      .slice(1)
      .filter(({ dirty, corrupt }) => dirty && !corrupt)
      .map(({ name }) => ({ grade: 'advice', values: { name } })),

  'chain-base-damaged': ({ chain }) =>
    chain
      .slice(1)
      .filter(({ damaged }) => damaged > 0)
      .map(({ name, damaged: bytes }) => ({ grade: 'problem', values: { name, bytes } })),

  'chain-format-missing': ({ chain }) =>
    pairsOf(chain).flatMap(({ above, below, depth }): Found<'chain-format-missing'>[] => {
      if (above.format !== 'qcow2' || !isProbed(below)) return [];
      const { format } = below;
      const raw = format === 'raw';
      // Only the image itself can be changed from here.
      const isOwn = depth === 1 && format !== '';
      return [
        {
          grade: raw ? 'problem' : 'advice',
          values: { name: below.writtenName, above: above.name, format, raw },
          remedies: isOwn ? [{ kind: 'relink', format }] : [],
        },
      ];
    }),

  'chain-absolute-names': ({ chain }) => {
    const named = chain.filter(({ writtenName }) => isAbsolute(writtenName));
    const [first] = named;
    if (first === undefined) return undefined;
    return { grade: 'note', values: { name: first.writtenName, count: named.length } };
  },

  'chain-cluster-sizes': ({ chain }) => {
    const sizes = chain.map(({ clusterSize }) => clusterSize).filter((size) => size > 0);
    const [smallest, largest] = [Math.min(...sizes), Math.max(...sizes)];
    if (sizes.length < 2 || smallest === largest) return undefined;
    return { grade: 'note', values: { smallest, largest } };
  },

  'chain-unguarded': ({ chain, guard }) => {
    const [own, base] = chain;
    if (guard !== undefined || base === undefined || base.missing) return undefined;
    // Another format keeps by itself what was below it, or has no room for it.
    if (own?.format !== 'qcow2') return undefined;
    return { grade: 'note', values: { name: base.name }, remedies: [{ kind: 'guard' }] };
  },

  'chain-guest-differs': ({ chain, guard, guest, guestBelow }) => {
    if (isSame(guard) || guest === undefined || guestBelow === undefined) return undefined;
    const other = otherFileSystem(guest, guestBelow);
    if (other === undefined) return undefined;
    return { grade: 'advice', values: { name: nameBelow(chain), ...other } };
  },

  'chain-version-2': ({ info }) => {
    if (info.qcow2?.version !== 2 || info.backing === undefined) return undefined;
    return {
      grade: 'note',
      values: { name: info.name },
      remedies: [{ kind: 'amend', options: { compat: '1.1' } }],
    };
  },

  'chain-empty-overlay': (facts) => {
    const [own, base] = facts.chain;
    if (own === undefined || base === undefined || !isWholeChain(facts)) return undefined;
    if (own.serves > 0 || own.virtualSize === 0) return undefined;
    return { grade: 'note', values: { name: base.name } };
  },

  'chain-base-unused': (facts) => {
    const [own, base] = facts.chain;
    if (own === undefined || base === undefined || !isWholeChain(facts)) return undefined;
    if (own.serves === 0 || facts.chain.slice(1).some(({ serves }) => serves > 0)) return undefined;
    return {
      grade: 'advice',
      values: { name: base.name, bytes: own.serves },
      remedies: [{ kind: 'flatten' }],
    };
  },
};

interface Pair {
  above: LayerFacts;
  below: LayerFacts;
  /** Of the lower one. */
  depth: number;
}

function pairsOf(chain: readonly LayerFacts[]): Pair[] {
  return chain.slice(1).flatMap((below, index) => {
    const above = chain[index];
    return above === undefined ? [] : [{ above, below, depth: index + 1 }];
  });
}

function sizesOf(
  chain: readonly LayerFacts[],
  differs: (below: number, size: number) => boolean,
): ChainValues['chain-base-smaller'][] {
  return pairsOf(chain)
    .filter(({ above, below }) => !below.missing && differs(below.virtualSize, above.virtualSize))
    .map(({ above, below }) => ({
      ...{ name: below.name, above: above.name },
      ...{ below: below.virtualSize, size: above.virtualSize },
    }));
}

/** An image that holds nothing cannot be contradicted by what is below it. */
function isNewer(above: LayerFacts, below: LayerFacts): boolean {
  if (above.modified === undefined || below.modified === undefined) return false;
  const holdsNothing = above.mapped && above.serves === 0;
  return !holdsNothing && below.modified > above.modified + SAME_TIME;
}

function isSame(guard: GuardFacts | undefined): boolean {
  return guard?.changes.length === 0;
}

/** The base as the image names it, where it is not here. */
function nameBelow(chain: readonly LayerFacts[]): string {
  return chain[1]?.name ?? '';
}

/** Named without its format, which its content then decides; a description has it within. */
function isProbed({ writtenName, writtenFormat }: LayerFacts): boolean {
  return writtenName !== '' && writtenFormat === '' && !writtenName.startsWith('json:');
}

function isAbsolute(name: string): boolean {
  const path = name.replace(/^file:/, '');
  return path.startsWith('/') || /^[A-Za-z]:[\\/]/.test(path) || path.startsWith('\\\\');
}

/** Everything is here and known, and no snapshot needs more than the disk as it is now. */
function isWholeChain({ chain, info }: DiagnosisFacts): boolean {
  if (info.snapshots.length > 0) return false;
  return chain.every(({ missing, mapped, damaged }) => !missing && mapped && damaged === 0);
}

/** Of the same kind, in the same place, sound, and not the same. */
function otherFileSystem(
  guest: GuestContents,
  below: GuestContents,
): { kind: string; here: string; below: string } | undefined {
  const pairs = [[guest.whole, below.whole] as const];
  for (const [index, { start }] of (guest.table?.partitions ?? []).entries()) {
    const at = below.table?.partitions.findIndex((one) => one.start === start) ?? -1;
    const [here, there] = [known(guest.inside[index]), known(below.inside[at])];
    pairs.push([here, there]);
  }
  for (const [here, there] of pairs) {
    if (here === undefined || there === undefined || here.kind !== there.kind) continue;
    if (here.isDamaged || there.isDamaged || here.uuid === '' || there.uuid === '') continue;
    if (here.uuid !== there.uuid) return { kind: here.kind, here: here.uuid, below: there.uuid };
  }
  return undefined;
}

function known(found: GuestContents['inside'][number]): FileSystemInfo | undefined {
  return found === 'unreadable' ? undefined : found;
}
