/** Copying a qcow2 image with its internal snapshots, which qemu-img leaves behind. */
import { InlinePool, type CodecPool } from '../codecs/pool.ts';
import { alignDown, alignUp } from '../binary/units.ts';
import { ImageError, throwIfCancelled } from '../errors.ts';
import type { Disk } from '../formats/format.ts';
import { openQcow2, type Qcow2Image } from '../formats/qcow2/image.ts';
import { createQcow2 } from '../formats/qcow2/edit/create.ts';
import { GuestWriter } from '../formats/qcow2/edit/guest-writer.ts';
import { editQcow2 } from '../formats/qcow2/edit/open.ts';
import { reopenQcow2 } from '../formats/qcow2/edit/resize.ts';
import { createSnapshot } from '../formats/qcow2/edit/snapshots.ts';
import type { Snapshot } from '../formats/qcow2/snapshots.ts';
import type { Storage } from '../storage/storage.ts';
import type { ChainExtent } from './chain.ts';
import { isEmpty, pairUp, type Pair } from './disk-pairs.ts';
import type { ConvertReport } from './convert.ts';
import { copyBitmaps, type ConvertQcow2Options } from './convert-qcow2.ts';
import type { Range } from './finding.ts';
import { PartDisk } from './part-disk.ts';
import { readDisk } from './read.ts';
import { resizeDisk } from './resize.ts';
import { yieldToEvents } from './yield.ts';
import { isZero } from './zeros.ts';

/** Guest bytes that are read and written at once. */
const WINDOW = 4 * 1024 * 1024;

/**
 * Makes a qcow2 image in `target` (an empty file) with what the source holds now and what each of
 * its snapshots kept, under the same ids and names. Content that they share is there once.
 * @throws ImageError unsupported-feature: a snapshot has the state of a machine, which is not
 * copied; snapshot-refused, and as convertToQcow2 does
 */
export async function convertWithSnapshots(
  source: Qcow2Image,
  target: Storage,
  options: ConvertQcow2Options,
): Promise<ConvertReport> {
  for (const { name, vmStateSize } of source.snapshots) {
    if (vmStateSize === 0) continue;
    const feature = `the state of the machine in the snapshot '${name}'`;
    throw new ImageError('unsupported-feature', { feature });
  }
  const own = options.pool === undefined ? new InlinePool() : undefined;
  const pool = options.pool ?? own ?? new InlinePool();
  try {
    const copy = new SnapshotCopy(source, target, { ...options, pool });
    await copy.run();
    return { size: source.size, copied: copy.copied };
  } finally {
    own?.close();
  }
}

class SnapshotCopy {
  copied = 0;
  readonly #source: Qcow2Image;
  readonly #target: Storage;
  readonly #options: ConvertQcow2Options & { pool: CodecPool };
  /** What is in the target by now. */
  #before: Disk | undefined;
  #done = 0;
  readonly #total: number;

  constructor(
    source: Qcow2Image,
    target: Storage,
    options: ConvertQcow2Options & { pool: CodecPool },
  ) {
    this.#source = source;
    this.#target = target;
    this.#options = options;
    this.#total = source.snapshots.reduce((sum, one) => sum + one.diskSize, source.size);
  }

  async run(): Promise<void> {
    const [first] = this.#source.snapshots;
    const size = first?.diskSize ?? this.#source.size;
    const made = await createQcow2(this.#target, size, this.#options.image);
    const { cipher } = made;
    await made.flush();
    let image = await openQcow2(this.#target, 'read');
    image.cipher = cipher;
    for (const snapshot of this.#source.snapshots) {
      const disk = await this.#source.openSnapshot(snapshot, 'then');
      image = await this.#write(image, disk, snapshot.diskSize);
      image = await this.#keep(image, snapshot);
    }
    image = await this.#write(image, this.#source, this.#source.size);
    const writer = await editQcow2(image);
    await copyBitmaps(writer, this.#options.bitmapsOf, this.#source.size);
    await writer.flush();
  }

  /** Takes the snapshot, under its old id. */
  async #keep(image: Qcow2Image, snapshot: Snapshot): Promise<Qcow2Image> {
    const { id, name, dateSeconds: seconds, dateNanoseconds: nanoseconds } = snapshot;
    const writer = await editQcow2(image);
    const { signal } = this.#options;
    await createSnapshot(image, writer, { id, name, seconds, nanoseconds }, signal);
    await writer.flush();
    return reopenQcow2(image);
  }

  /** Makes the target read as `disk` does. */
  async #write(old: Qcow2Image, disk: Disk, size: number): Promise<Qcow2Image> {
    let image = old;
    if (image.size !== size) {
      await resizeDisk(image, size, { signal: this.#options.signal });
      image = await reopenQcow2(image);
    }
    const before = this.#before ?? new PartDisk(disk, 0, 0);
    const writer = await editQcow2(image);
    const guest = new GuestWriter(image, writer, undefined);
    for await (const range of this.#differences(before, disk, image.clusterSize)) {
      throwIfCancelled(this.#options.signal);
      await this.#copy(disk, guest, image, range);
      this.#report(range.offset + range.length);
      await yieldToEvents(this.#options.signal);
    }
    await writer.flush();
    this.#done += size;
    this.#before = disk;
    return reopenQcow2(image);
  }

  #report(bytes: number): void {
    const done = this.#done + bytes;
    this.#options.progress?.({ stage: 'copying', done, total: this.#total });
  }

  /** Whole clusters that may differ, in pieces of bounded length. */
  async *#differences(before: Disk, now: Disk, clusterSize: number): AsyncGenerator<Range> {
    let start = 0;
    let end = 0;
    for await (const pair of pairUp(before, now, 0, now.size)) {
      if (isSame(pair)) continue;
      const from = Math.max(end, alignDown(pair.offset, clusterSize));
      const to = Math.min(now.size, alignUp(pair.offset + pair.length, clusterSize));
      for (let at = from; at < to;) {
        const isApart = at > end || end - start >= WINDOW;
        if (isApart && end > start) yield { offset: start, length: end - start };
        if (isApart || end === start) start = at;
        end = Math.min(to, start + Math.max(WINDOW, clusterSize));
        at = end;
      }
    }
    if (end > start) yield { offset: start, length: end - start };
  }

  async #copy(
    disk: Disk,
    guest: GuestWriter,
    { clusterSize, codec }: Qcow2Image,
    { offset, length }: Range,
  ): Promise<void> {
    const { pool, signal, compress = false } = this.#options;
    const bytes = await readDisk(disk, offset, length, { pool, signal });
    this.copied += length;
    const packed = compress ? await this.#pack(bytes, clusterSize, codec) : undefined;
    let plain = 0;
    for (let at = 0, index = 0; at < length; at += clusterSize, index++) {
      const end = Math.min(length, at + clusterSize);
      const zeros = isZero(bytes.subarray(at, end));
      const small = zeros ? undefined : packed?.[index];
      if (!zeros && small === undefined) continue;
      if (at > plain) await guest.write(offset + plain, bytes.subarray(plain, at));
      if (small === undefined) await guest.zero(offset + at, end - at);
      else await guest.writePacked(offset + at, small);
      plain = end;
    }
    if (length > plain) await guest.write(offset + plain, bytes.subarray(plain, length));
  }

  /** Each cluster packed; undefined for those that do not get smaller. */
  async #pack(
    bytes: Uint8Array,
    clusterSize: number,
    codec: 'zlib' | 'zstd',
  ): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
    const data = new Uint8Array(alignUp(bytes.length, clusterSize));
    data.set(bytes);
    const { packed, lengths } = await this.#options.pool.pack({ codec, data, clusterSize });
    let end = 0;
    return lengths.map((length) => {
      const start = end;
      end += length;
      return length === 0 ? undefined : packed.slice(start, end);
    });
  }
}

/** Known without reading: zeros in both, or the very same place of the same file. */
function isSame({ first, second }: Pair): boolean {
  if (isEmpty(first) || isEmpty(second)) return isEmpty(first) && isEmpty(second);
  if (first === undefined || second === undefined) return false;
  if (first.unknown || second.unknown || first.storage !== second.storage) return false;
  if (first.kind !== second.kind) return false;
  if (first.kind === 'data') return shift(first) === shift(second);
  return first.kind === 'compressed' && first.hostOffset === second.hostOffset;
}

function shift({ hostOffset, offset }: ChainExtent): number {
  return hostOffset - offset;
}
