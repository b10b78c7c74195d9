/**
 * Who uses the clusters that findings name. A second walk over the tables, made only when there is
 * something to explain, for a bounded number of clusters.
 */
import type { Finding, Owner } from '../../../operations/finding.ts';
import type { Header } from '../header.ts';
import { compressedLayout, compressedLength, compressedOffset } from '../mapping.ts';
import { COMPRESSED_HIGH, entryOffset } from '../tables.ts';
import { readRefcountTable } from '../refcounts.ts';
import type { CheckContext } from './context.ts';
import { allTrees, readBitmapTable, walkL2, type L1Tree } from './walk.ts';

const MOST_CLUSTERS = 4096;
/** Owners of one cluster that are worth naming. */
const MOST_OWNERS = 8;

const EXPLAINED = new Set<Finding['kind']>([
  'refcount-low',
  'refcount-zero',
  'refcount-overflow',
  'refblock-shared',
  'leak',
]);

/** The clusters that are asked about, and what was found of each. */
class Register {
  readonly #owners = new Map<number, Owner[]>();
  readonly #clusterSize: number;
  readonly #fileSize: number;

  constructor(findings: readonly Finding[], { clusterSize, fileSize }: CheckContext) {
    this.#clusterSize = clusterSize;
    this.#fileSize = fileSize;
    for (const { kind, host } of findings) {
      if (!EXPLAINED.has(kind) || host === undefined || this.#owners.size >= MOST_CLUSTERS)
        continue;
      this.#owners.set(Math.floor(host.offset / clusterSize), []);
    }
  }

  get isEmpty(): boolean {
    return this.#owners.size === 0;
  }

  of(offset: number): Owner[] {
    return this.#owners.get(Math.floor(offset / this.#clusterSize)) ?? [];
  }

  claim(
    offset: number,
    length: number,
    kind: Owner['kind'],
    guestOffset = -1,
    snapshot = '',
  ): void {
    // Clusters behind the end have no findings, and beyond 2^53 counting would not get anywhere.
    if (length <= 0 || offset >= this.#fileSize) return;
    const first = Math.floor(offset / this.#clusterSize);
    const last = Math.floor((offset + length - 1) / this.#clusterSize);
    if (last - first > this.#owners.size) {
      for (const cluster of this.#owners.keys()) {
        if (cluster >= first && cluster <= last)
          this.#add(cluster, { kind, guestOffset, snapshot });
      }
      return;
    }
    for (let cluster = first; cluster <= last; cluster++) {
      this.#add(cluster, { kind, guestOffset, snapshot });
    }
  }

  #add(cluster: number, owner: Owner): void {
    const owners = this.#owners.get(cluster);
    if (owners !== undefined && owners.length < MOST_OWNERS) owners.push(owner);
  }
}

/** Adds `owners` to the findings of the report and notes overlaps of unlike owners. */
export async function addOwners(context: CheckContext): Promise<void> {
  const { image, clusterSize, report } = context;
  const register = new Register(report.findings, context);
  if (register.isEmpty) return;
  const { header } = image;
  register.claim(0, clusterSize, 'header');
  register.claim(header.l1TableOffset, header.l1Size * 8, 'l1');
  register.claim(header.snapshotsOffset, image.snapshotTable.size, 'snapshot-table');
  register.claim(
    header.refcountTableOffset,
    header.refcountTableClusters * clusterSize,
    'refcount-table',
  );
  if (header.luks !== undefined) register.claim(header.luks.offset, header.luks.length, 'luks');
  const table = await readRefcountTable(image.storage, header);
  for (let index = 0; index < table.entries; index++) {
    const offset = table.offset(index);
    if (offset !== 0) register.claim(offset, clusterSize, 'refcount-block');
  }
  await claimBitmaps(context, register);
  for (const snapshot of image.snapshots) {
    register.claim(snapshot.l1TableOffset, snapshot.l1Size * 8, 'snapshot-l1', -1, snapshot.name);
  }
  for await (const tree of allTrees(image)) await claimTree(context, tree, register);
  for (const finding of report.findings.slice()) {
    if (!EXPLAINED.has(finding.kind) || finding.host === undefined) continue;
    const owners = register.of(finding.host.offset);
    if (owners.length > 0) finding.owners = owners;
    const guest = owners.find((owner) => owner.guestOffset >= 0);
    if (finding.guest === undefined && guest !== undefined && guest.kind !== 'l2') {
      finding.guest = { offset: guest.guestOffset, length: clusterSize };
    }
    noteOverlap(context, finding, owners);
  }
}

async function claimBitmaps(context: CheckContext, register: Register): Promise<void> {
  const { image, clusterSize } = context;
  const { bitmaps } = image.header;
  if (bitmaps === undefined) return;
  register.claim(bitmaps.directoryOffset, bitmaps.directorySize, 'bitmaps');
  for (const bitmap of image.bitmaps) {
    register.claim(bitmap.tableOffset, bitmap.tableSize * 8, 'bitmaps');
    for await (const table of readBitmapTable(context, bitmap)) {
      for (let i = 0; i < table.length; i += 2) {
        const offset = entryOffset(table[i] as number, table[i + 1] as number);
        if (offset !== 0) register.claim(offset, clusterSize, 'bitmaps');
      }
    }
  }
}

async function claimTree(context: CheckContext, tree: L1Tree, register: Register): Promise<void> {
  const { image, clusterSize } = context;
  const { header } = image;
  context.expect(0);
  for await (const batch of walkL2(image, tree.l1)) {
    for (const { index, offset, bytes } of batch) {
      const base = index * header.l2Coverage;
      register.claim(offset, clusterSize, 'l2', base, tree.snapshot);
      if (bytes !== undefined) claimEntries(header, bytes, base, tree.snapshot, register);
      await context.passed(0);
    }
  }
}

function claimEntries(
  header: Header,
  bytes: Uint8Array,
  base: number,
  snapshot: string,
  register: Register,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const step = header.extendedL2 ? 16 : 8;
  const layout = compressedLayout(header.clusterBits);
  for (let at = 0; at < bytes.length; at += step) {
    const high = view.getUint32(at);
    const low = view.getUint32(at + 4);
    if ((high | low) === 0) continue;
    const guest = base + (at / step) * header.clusterSize;
    if ((high & COMPRESSED_HIGH) !== 0) {
      const offset = compressedOffset(layout, high, low);
      register.claim(offset, compressedLength(layout, high, low), 'compressed', guest, snapshot);
    } else if (!header.hasDataFile) {
      const offset = entryOffset(high, low);
      if (offset !== 0) register.claim(offset, header.clusterSize, 'data', guest, snapshot);
    }
  }
}

/** Compressed clusters share a cluster by right; anything else beside another owner is damage. */
function noteOverlap(context: CheckContext, finding: Finding, owners: readonly Owner[]): void {
  const kinds = new Set(owners.map((owner) => owner.kind));
  const others = owners.filter((owner) => owner.kind !== 'compressed' && owner.snapshot === '');
  const clash = kinds.size > 1 || others.length > 1;
  const { host } = finding;
  if (finding.kind === 'leak' || !clash || host === undefined) return;
  // The counts can be put right, but no count says whose content the cluster holds.
  if (finding.kind !== 'refblock-shared') finding.repair = 'guess';
  context.note('overlap', 'notice', () => ({
    host,
    ...(finding.guest === undefined ? {} : { guest: finding.guest }),
    values: { claims: owners.length },
    owners: owners.slice(),
    repair: 'guess',
  }));
}
