/** A VMDK disk: one extent or many, and perhaps a parent below them. */
import type { Packing } from '../../codecs/packing.ts';
import { ImageError } from '../../errors.ts';
import type { CheckOptions, CheckReport } from '../../operations/check-report.ts';
import type { Finding } from '../../operations/finding.ts';
import type { Description, FieldValue } from '../../operations/image-info.ts';
import type { Storage } from '../../storage/storage.ts';
import type { Disk, Extent, LayeredDisk } from '../format.ts';
import { checkVmdk } from './check.ts';
import { describeVmdk } from './describe.ts';
import type { Identity } from './descriptor.ts';
import type { Segment } from './segments.ts';

/** What was read of an image. */
export interface VmdkParts {
  readonly storage: Storage;
  readonly identity: Identity;
  readonly createType: string;
  /** The descriptor as text. */
  readonly descriptor: string;
  /** Where the descriptor is in the file, bytes. */
  readonly descriptorAt: number;
  readonly segments: readonly Segment[];
  readonly findings: readonly Finding[];
  /** Of the header, where the file has one. */
  readonly fields: readonly FieldValue[];
  /** Bytes of the grain directories in memory. */
  readonly tableBytes: number;
}

/** A batch of runs ends after about so many. */
const MOST_RUNS = 65536;

export class VmdkImage implements LayeredDisk {
  readonly format = 'vmdk';
  readonly parts: VmdkParts;
  readonly size: number;
  readonly clusterSize: number;
  readonly cipher = undefined;
  readonly contentMissing = undefined;
  backing: Disk | undefined;
  withoutBacking = false;

  constructor(parts: VmdkParts) {
    this.parts = parts;
    const last = parts.segments.at(-1);
    this.size = last === undefined ? 0 : last.start + last.length;
    this.clusterSize = Math.max(0, ...parts.segments.map((one) => one.grainBytes));
  }

  get storage(): Storage {
    return this.parts.storage;
  }

  get findings(): readonly Finding[] {
    return this.parts.findings;
  }

  get tableBytes(): number {
    return this.parts.tableBytes;
  }

  get backingName(): string {
    return this.parts.identity.parentName;
  }

  get backingFormat(): string {
    return this.backingName === '' ? '' : 'vmdk';
  }

  get backingMissing(): boolean {
    return this.backing === undefined && this.backingName !== '' && !this.withoutBacking;
  }

  /** Each packed extent says itself how it is packed. */
  get codec(): Packing | undefined {
    return undefined;
  }

  get files(): readonly Storage[] {
    return [...new Set([this.storage, ...this.parts.segments.map((one) => one.storage)])];
  }

  async map(offset: number, length: number, most: number = MOST_RUNS): Promise<Extent[]> {
    const end = Math.min(offset + length, this.size);
    const runs: Extent[] = [];
    const { segments } = this.parts;
    for (let index = this.#segmentAt(offset), at = offset; at < end && runs.length < most;) {
      const segment = segments[index++];
      if (segment === undefined) break;
      const until = Math.min(end, segment.start + segment.length);
      const found = await segment.map(at, until, most - runs.length);
      for (const run of found) append(runs, run);
      const last = runs.at(-1);
      if (last === undefined || last.offset + last.length < until) break;
      at = until;
    }
    return runs;
  }

  /** Index of the extent that holds a guest offset. */
  #segmentAt(offset: number): number {
    const { segments } = this.parts;
    let low = 0;
    let high = segments.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const segment = segments[middle];
      if (segment !== undefined && segment.start + segment.length <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** @throws ImageError parent-mismatch: its content is not what it was when this one was made */
  acceptBacking(backing: Disk): void {
    const { parentCid } = this.parts.identity;
    const found = backing instanceof VmdkImage ? backing.parts.identity.cid : undefined;
    if (found === parentCid) return;
    throw new ImageError('parent-mismatch', {
      name: this.storage.name,
      parent: backing.storage.name,
      expected: parentCid.toString(16),
      found: found?.toString(16) ?? backing.format,
    });
  }

  describe(): Description {
    return describeVmdk(this.parts, this.clusterSize);
  }

  check(options: CheckOptions): Promise<CheckReport> {
    return checkVmdk(this.parts, options);
  }

  async close(): Promise<void> {
    await this.backing?.close();
    for (const file of this.files) await file.close();
  }
}

/** Runs of two extents that are of one kind and have no place are one run. */
function append(runs: Extent[], run: Extent): void {
  const last = runs.at(-1);
  const isOpen = run.kind === 'unallocated' || run.kind === 'zero';
  if (last?.kind === run.kind && isOpen && last.hostOffset < 0 && run.hostOffset < 0) {
    last.length += run.length;
  } else {
    runs.push(run);
  }
}
