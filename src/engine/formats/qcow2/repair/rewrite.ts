/**
 * Going through the tables of a layer once, mending what is wrong and giving second owners of a
 * cluster their own. Everything that is decided here is noted in the log, chosen or not.
 */
import { alignDown, divideRoundUp, isAligned } from '../../../binary/units.ts';
import { gather } from '../../../storage/gather.ts';
import { walkL2, type L2Visit } from '../check/walk.ts';
import { entryHigh, entryLow, wordsToBytes } from '../edit/words.ts';
import { maxRefcount } from '../refcounts.ts';
import { COPIED_HIGH, entryOffset, readTable, ZERO_LOW, type Table } from '../tables.ts';
import { USE } from './clusters.ts';
import { L1_RESERVED_HIGH, L1_RESERVED_LOW, type EntryWords } from './entries.ts';
import { setOffset, type Layer, type RepairJob } from './job.ts';
import { looksLikeL2 } from './likeness.ts';
import { Packed, type PackedProblem } from './packed.ts';
import type { RepairAction, RepairClass, RepairKind } from './plan.ts';

type Judged = Pick<RepairAction, 'class' | 'loses'>;

/** How sure each mending of an L2 entry is. */
const CLASSES: Partial<Record<RepairKind, Judged>> = {
  'l2-reserved-bits': { class: 'safe', loses: 'nothing' },
  'compressed-copied': { class: 'safe', loses: 'nothing' },
  'compressed-bitmap': { class: 'safe', loses: 'nothing' },
  'zero-place': { class: 'safe', loses: 'nothing' },
  'zero-in-v2': { class: 'guess', loses: 'nothing' },
  'subclusters-contradict': { class: 'guess', loses: 'nothing' },
  'data-outside': { class: 'guess', loses: 'nothing' },
  'data-unaligned': { class: 'loses-data', loses: 'unreadable' },
  'compressed-unreadable': { class: 'loses-data', loses: 'unreadable' },
  'subclusters-unallocated': { class: 'loses-data', loses: 'unreadable' },
};

interface Copy {
  readonly offset: number;
  readonly length: number;
  readonly to: number;
}

/** What is being done to one L2 table. */
interface Work {
  readonly layer: Layer;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView;
  /** Guest offset of its first entry, bytes. */
  readonly base: number;
  changed: boolean;
  readonly copies: Copy[];
  readonly packed: PackedProblem[];
}

export class Rewriter {
  readonly #job: RepairJob;
  /** Clusters with more owners than they know of; undefined: too many to be told apart. */
  readonly #suspects: ReadonlySet<number>;
  readonly #packed: Packed;
  readonly #step: number;
  readonly #most: number;
  /** The guest cluster (or, for L2 tables, the L1 index) that a suspect belongs to. */
  readonly #owners = new Map<number, number>();
  /** How many owners a suspect has kept. */
  readonly #kept = new Map<number, number>();
  /** L2 tables that were gone through where they are, by cluster. */
  readonly #done = new Map<number, number>();
  /** Where the copy of an L2 table is, by cluster and L1 index. */
  readonly #moved = new Map<string, number>();

  constructor(job: RepairJob, suspects: ReadonlySet<number>) {
    this.#job = job;
    this.#suspects = suspects;
    this.#packed = new Packed(job);
    this.#step = job.image.header.extendedL2 ? 16 : 8;
    this.#most = maxRefcount(job.image.header.refcountBits);
  }

  /** Mends a layer. Returns its L1 table where that has changed. */
  async mend(layer: Layer): Promise<Table | undefined> {
    const { image } = this.#job;
    const l1 = await this.#job.readL1(layer);
    const result = l1.slice();
    for await (const batch of walkL2(image, l1)) {
      for (const visit of batch) {
        if (!layer.held.has(visit.index)) await this.#visit(layer, visit, result);
      }
      await this.#job.breathe();
    }
    return result.some((word, at) => word !== l1[at]) ? result : undefined;
  }

  async #visit(layer: Layer, visit: L2Visit, l1: Table): Promise<void> {
    const { log, clusterSize, image } = this.#job;
    const { index } = visit;
    let { high, low } = visit;
    const coverage = image.header.l2Coverage;
    const where = {
      guest: { offset: index * coverage, length: coverage },
      snapshot: layer.name,
      values: { index },
    };
    const host = { offset: visit.offset, length: clusterSize };
    if ((high & L1_RESERVED_HIGH) !== 0 || (low & L1_RESERVED_LOW) !== 0) {
      if (log.add({ kind: 'l1-reserved-bits', class: 'safe', host, ...where })) {
        high = (high & ~L1_RESERVED_HIGH) >>> 0;
        low = (low & ~L1_RESERVED_LOW) >>> 0;
      }
    }
    const enter = () => {
      l1[index * 2] = high;
      l1[index * 2 + 1] = low;
    };
    let { offset } = visit;
    let bytes = visit.bytes;
    if (offset === 0) {
      // Flags without a place read as nothing, but a check takes them for a table at 0.
      if (high === 0 || log.add({ kind: 'l1-reserved-bits', class: 'safe', ...where })) {
        high = 0;
        low = 0;
      }
      enter();
      return;
    }
    if (!isAligned(offset, clusterSize)) {
      const found = await this.#alignL2(visit, where);
      if (found === undefined) {
        if (
          log.add({
            kind: 'l1-unaligned',
            class: 'loses-data',
            loses: 'unreadable',
            host,
            ...where,
          })
        ) {
          high = 0;
          low = 0;
        }
        enter();
        return;
      }
      ({ offset, bytes } = found);
      low = entryLow(offset);
    } else if (bytes === undefined) {
      if (log.add({ kind: 'l1-outside', class: 'guess', host, ...where })) {
        high = 0;
        low = 0;
      }
      enter();
      return;
    }
    enter();
    await this.#place(layer, { index, offset, bytes }, l1);
  }

  /** An L1 entry between clusters: the table may be where the cluster begins. */
  async #alignL2(visit: L2Visit, where: object) {
    const { log, clusterSize, clusters, fileSize, storage } = this.#job;
    const offset = alignDown(visit.offset, clusterSize);
    if (offset === 0 || offset >= fileSize || clusters.count(offset / clusterSize) > 0)
      return undefined;
    const words = await readTable(storage, offset, clusterSize / 8);
    if (!looksLikeL2(this.#job, words)) return undefined;
    const host = { offset: visit.offset, length: clusterSize };
    const action = { kind: 'l1-aligned', class: 'guess', host, to: offset, values: {} } as const;
    if (!log.add({ ...action, ...where })) return undefined;
    clusters.add(offset / clusterSize, USE.l2);
    return { offset, bytes: wordsToBytes(words) };
  }

  /** Goes through the table that an L1 entry leads to, where it is or at a place of its own. */
  async #place(
    layer: Layer,
    table: { index: number; offset: number; bytes: Uint8Array },
    l1: Table,
  ): Promise<void> {
    const { clusters, clusterSize, log, image, storage } = this.#job;
    const { index, offset } = table;
    const cluster = offset / clusterSize;
    const isSuspect = this.#suspects.has(cluster);
    const key = `${String(cluster)}:${String(index)}`;
    const copyAt = this.#moved.get(key);
    if (copyAt !== undefined && !this.#isCrowded(cluster)) {
      setOffset(l1, index, copyAt, 0);
      return;
    }
    const owner = this.#owners.get(cluster) ?? index;
    const isShared =
      clusters.use(cluster) !== USE.l2 || (isSuspect && (owner !== index || this.#isFull(cluster)));
    let to = offset;
    if (isShared) {
      const coverage = image.header.l2Coverage;
      const host = { offset, length: clusterSize };
      const guest = { offset: index * coverage, length: coverage };
      if (!this.#job.takeCopy(clusterSize)) {
        log.refuse('too-many-copies', { host, guest });
        return;
      }
      const action = {
        kind: 'copy-l2',
        class: 'guess',
        host,
        guest,
        snapshot: layer.name,
      } as const;
      if (!log.add({ ...action, values: { index } })) return;
      to = this.#job.allocate(1);
      this.#moved.set(key, to);
      setOffset(l1, index, to, layer.index < 0 ? COPIED_HIGH : 0);
    } else {
      if (isSuspect) this.#keep(cluster, index);
      if (this.#done.get(cluster) === index) return;
      this.#done.set(cluster, index);
    }
    const work = await this.#mendTable(layer, table.bytes, index);
    if (isShared || work.changed) await storage.write(to, work.bytes);
  }

  #keep(cluster: number, owner: number): void {
    this.#owners.set(cluster, this.#owners.get(cluster) ?? owner);
    this.#kept.set(cluster, (this.#kept.get(cluster) ?? 0) + 1);
  }

  /** Whether as many use it as the refcount can count. */
  #isFull(cluster: number): boolean {
    return (this.#kept.get(cluster) ?? 0) >= this.#most;
  }

  #isCrowded(cluster: number): boolean {
    return this.#job.clusters.count(cluster) > this.#most;
  }

  async #mendTable(layer: Layer, source: Uint8Array, index: number): Promise<Work> {
    const { storage, base, image } = this.#job;
    const bytes = new Uint8Array(source);
    const work: Work = {
      layer,
      bytes,
      view: new DataView(bytes.buffer),
      base: index * image.header.l2Coverage,
      changed: false,
      copies: [],
      packed: [],
    };
    for (let at = 0; at < bytes.length; at += this.#step) this.#entry(work, at);
    if (work.packed.length > 0) await this.#mendPacked(work);
    const found: { to: number; bytes: Uint8Array }[] = [];
    await gather(base, work.copies, ({ to }, copied) => {
      found.push({ to, bytes: copied });
    });
    for (const copy of found) await storage.write(copy.to, copy.bytes);
    return work;
  }

  #entry(work: Work, at: number): void {
    const { view } = work;
    const entry: EntryWords = {
      high: view.getUint32(at),
      low: view.getUint32(at + 4),
      zeros: this.#step === 16 ? view.getUint32(at + 8) : 0,
      allocated: this.#step === 16 ? view.getUint32(at + 12) : 0,
    };
    if ((entry.high | entry.low | entry.zeros | entry.allocated) === 0) return;
    const { target, faults } = this.#job.judge.judge(entry);
    const guest = work.base + (at / this.#step) * this.#job.clusterSize;
    let target2 = target;
    for (const kind of faults) {
      const aligned = kind === 'data-unaligned' ? this.#alignData(work, entry, guest) : undefined;
      if (aligned !== undefined) target2 = { kind: 'data', offset: aligned };
      else this.#mendFault(work, entry, kind, guest);
    }
    if (target2.kind === 'data') this.#dataOwner(work, entry, target2.offset, guest);
    if (target2.kind === 'compressed') {
      const problem = this.#packed.problemOf(target2, this.#suspects, this.#kept, this.#most);
      if (problem !== undefined) work.packed.push({ ...target2, at, guest, problem });
    }
    this.#put(work, at, entry);
  }

  #put(work: Work, at: number, entry: EntryWords): void {
    const { view } = work;
    const put = (offset: number, value: number) => {
      if (view.getUint32(offset) === value >>> 0) return;
      view.setUint32(offset, value);
      work.changed = true;
    };
    put(at, entry.high);
    put(at + 4, entry.low);
    if (this.#step === 8) return;
    put(at + 8, entry.zeros);
    put(at + 12, entry.allocated);
  }

  #mendFault(work: Work, entry: EntryWords, kind: RepairKind, guest: number): void {
    const { log, judge, clusterSize, image } = this.#job;
    const judged = CLASSES[kind] ?? { class: 'guess' as RepairClass, loses: 'nothing' as const };
    const offset = entryOffset(entry.high, entry.low);
    const chosen = log.add({
      kind,
      ...judged,
      host: { offset, length: clusterSize },
      guest: { offset: guest, length: clusterSize },
      snapshot: work.layer.name,
    });
    if (!chosen) return;
    judge.mend(entry, kind);
    const { version, backingName } = image.header;
    if (kind !== 'data-outside' || version >= 3 || backingName === '') return;
    // Version 2 has no other way to say zeros over a backing image.
    const to = this.#job.allocate(1);
    entry.high = (COPIED_HIGH | entryHigh(to)) >>> 0;
    entry.low = entryLow(to);
  }

  /** Data between clusters: where the cluster begins, if nobody else uses that. */
  #alignData(work: Work, entry: EntryWords, guest: number): number | undefined {
    const { clusters, clusterSize, fileSize, log } = this.#job;
    const old = entryOffset(entry.high, entry.low);
    const offset = alignDown(old, clusterSize);
    if (offset === 0 || offset >= fileSize || clusters.count(offset / clusterSize) > 0)
      return undefined;
    const chosen = log.add({
      kind: 'data-aligned',
      class: 'guess',
      host: { offset: old, length: clusterSize },
      to: offset,
      guest: { offset: guest, length: clusterSize },
      snapshot: work.layer.name,
    });
    if (!chosen) return undefined;
    clusters.add(offset / clusterSize, USE.data);
    entry.high = ((entry.high & 0xff000000) | entryHigh(offset)) >>> 0;
    entry.low = (entryLow(offset) | (entry.low & ZERO_LOW)) >>> 0;
    return offset;
  }

  /** Whether a guest cluster may keep its host cluster; a copy where it may not. */
  #dataOwner(work: Work, entry: EntryWords, offset: number, guest: number): void {
    const { clusters, clusterSize, log, image } = this.#job;
    const cluster = offset / clusterSize;
    const use = clusters.use(cluster);
    const isMeta = use !== USE.none && use !== USE.data && use !== USE.compressed;
    const isSuspect = this.#suspects.has(cluster);
    if (!isMeta && !isSuspect) return;
    const owner = this.#owners.get(cluster) ?? guest;
    if (!isMeta && owner === guest && !this.#isFull(cluster)) {
      this.#keep(cluster, guest);
      return;
    }
    const where = {
      host: { offset, length: clusterSize },
      guest: { offset: guest, length: clusterSize },
      snapshot: work.layer.name,
    };
    const isExtended = image.header.extendedL2;
    const isEmpty = isExtended ? entry.allocated === 0 : (entry.low & ZERO_LOW) !== 0;
    if (isEmpty) {
      if (log.add({ kind: 'zero-place', class: 'safe', ...where })) {
        this.#job.judge.mend(entry, 'zero-place');
      }
      return;
    }
    if (image.header.cryptMethod === 2) {
      log.refuse('encrypted-copy', where);
      return;
    }
    if (!this.#job.takeCopy(clusterSize)) {
      log.refuse('too-many-copies', where);
      return;
    }
    if (!log.add({ kind: 'copy-data', class: 'guess', ...where })) return;
    const to = this.#job.allocate(1);
    work.copies.push({ offset, length: clusterSize, to });
    entry.high = (COPIED_HIGH | entryHigh(to)) >>> 0;
    entry.low = entryLow(to);
  }

  async #mendPacked(work: Work): Promise<void> {
    for (const problem of work.packed) {
      const { at, guest, offset, length } = problem;
      const entry: EntryWords = {
        high: work.view.getUint32(at),
        low: work.view.getUint32(at + 4),
        zeros: 0,
        allocated: 0,
      };
      const where = {
        host: { offset, length },
        guest: { offset: guest, length: this.#job.clusterSize },
        snapshot: work.layer.name,
      };
      await this.#packed.mend(entry, problem, where);
      this.#put(work, at, entry);
      await this.#job.breathe();
    }
  }
}

/** Where a layer's L1 table goes when it needs another place. */
export function placeL1(job: RepairJob, layer: Layer): number {
  return job.allocate(Math.max(1, divideRoundUp(layer.size * 8, job.clusterSize)));
}
