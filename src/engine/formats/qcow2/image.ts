/** A qcow2 image as a Disk. */
import { alignDown, isAligned, SECTOR } from '../../binary/units.ts';
import type { Cipher } from '../../codecs/cipher.ts';
import { ImageError, isImageError } from '../../errors.ts';
import { readFront, type Front } from '../../storage/partial.ts';
import type { Storage } from '../../storage/storage.ts';
import { clip, ExtentList } from '../extents.ts';
import type { Disk, Extent, LayeredDisk, OpenMode } from '../format.ts';
import { luksSeconds } from '../luks.ts';
import type { LuksHeader, LuksInfo } from '../luks-header.ts';
import { readBitmaps, type Bitmap } from './bitmaps.ts';
import { headerEnd, parseHeader, peekClusterSize, type Header } from './header.ts';
import { mapDamaged, mapTable } from './mapping.ts';
import {
  checkSnapshotL1,
  checkSnapshotPointer,
  readSnapshots,
  type Snapshot,
  type SnapshotTable,
} from './snapshots.ts';
import { entryOffset, L2Cache, readTable, type Table } from './tables.ts';
import { LUKS, readEncryption } from './unlock.ts';

/** Read at first: the whole first cluster at the usual cluster size. */
const FIRST_READ = 64 * 1024;
/** A batch of extents ends after about this many. */
const EXTENTS_AT_ONCE = 64 * 1024;
/** Extents that one L2 entry may bring. */
const SUBCLUSTERS = 32;

export class Qcow2Image implements LayeredDisk {
  readonly format = 'qcow2';
  readonly storage: Storage;
  readonly header: Header;
  readonly size: number;
  readonly clusterSize: number;
  readonly codec: 'zlib' | 'zstd';
  /** The L1 table: the active one, unless this is the disk of a snapshot. */
  readonly l1: Table;
  readonly snapshotTable: SnapshotTable;
  /** In `check` mode: why the snapshot table could not be read; the check reports it. */
  readonly snapshotError: ImageError | undefined;
  readonly bitmaps: readonly Bitmap[];
  /** The LUKS header, where there is one that is valid. */
  readonly luks: LuksHeader | undefined;
  /** Why it is not valid: the image can be looked at all the same, unless by `info`. */
  readonly luksError: ImageError | undefined;
  backing: Disk | undefined;
  /** Whoever opened it wants it without the backing file that it names. */
  withoutBacking = false;
  /** The external data file, opened through the gate. */
  dataFile: Storage | undefined;
  cipher: Cipher | undefined;
  readonly #cache: L2Cache;

  constructor(storage: Storage, header: Header, tables: Tables) {
    this.storage = storage;
    this.header = header;
    // QEMU drops what is behind the last whole sector, without a word.
    this.size = alignDown(header.size, SECTOR);
    this.clusterSize = header.clusterSize;
    this.codec = header.compressionType === 1 ? 'zstd' : 'zlib';
    this.l1 = tables.l1;
    this.snapshotTable = tables.snapshots;
    this.snapshotError = tables.snapshotError;
    this.bitmaps = tables.bitmaps;
    this.luks = tables.luks;
    this.luksError = tables.luksError;
    this.#cache = new L2Cache(storage, header.clusterSize);
  }

  get snapshots(): readonly Snapshot[] {
    return this.snapshotTable.snapshots;
  }

  get backingName(): string {
    return this.header.backingName;
  }

  get backingFormat(): string {
    return this.header.backingFormat;
  }

  get tableBytes(): number {
    return this.l1.byteLength;
  }

  get backingMissing(): boolean {
    const named = this.header.backingName !== '' && !this.withoutBacking;
    return named && this.backing === undefined;
  }

  get encryption(): 'none' | 'aes' | 'luks' {
    const { cryptMethod } = this.header;
    return cryptMethod === 0 ? 'none' : cryptMethod === LUKS ? 'luks' : 'aes';
  }

  get unlockSeconds(): number {
    return this.luks === undefined ? 0 : luksSeconds(this.luks);
  }

  get luksInfo(): LuksInfo | undefined {
    return this.luks?.info;
  }

  get contentMissing(): 'data-file-missing' | 'locked' | undefined {
    if (this.header.hasDataFile && this.dataFile === undefined) return 'data-file-missing';
    return this.header.cryptMethod !== 0 && this.cipher === undefined ? 'locked' : undefined;
  }

  async map(offset: number, length: number, most = EXTENTS_AT_ONCE): Promise<Extent[]> {
    const end = Math.min(offset + length, this.size);
    const { clusterSize, l2Coverage } = this.header;
    const firstTable = Math.floor(offset / l2Coverage);
    const lastTable = Math.min(
      Math.ceil(end / l2Coverage),
      firstTable + this.#cache.batch,
      // A long stretch without tables costs nothing: let it run on.
    );
    const tables = await this.#cache.load(this.#tableOffsets(firstTable, lastTable));
    const list = new ExtentList(this.dataFile ?? this.storage);
    let index = firstTable;
    for (; index * l2Coverage < end && list.length < most; index++) {
      const base = index * l2Coverage;
      const host = this.#l2Offset(index);
      const table = tables.get(host);
      if (index >= lastTable && host !== 0) break;
      if (host === 0) {
        list.add('unallocated', base, l2Coverage, -1);
      } else if (table === undefined) {
        list.addInvalid(base, l2Coverage, host, 'l2-unaligned');
      } else {
        const first = index === firstTable ? Math.floor((offset - base) / clusterSize) : 0;
        const last = Math.min(Math.ceil((end - base) / clusterSize), this.header.l2Entries);
        const holes = this.#cache.holesOf(host);
        // One table can bring millions of extents: what is left of it comes the next time.
        const step = Math.max(1, Math.floor(most / SUBCLUSTERS));
        for (let at = first; at < last && list.length < most; at += step) {
          const to = Math.min(at + step, last);
          if (holes.length === 0) mapTable(this.header, table, base, at, to, list);
          else mapDamaged(this.header, { table, host, holes }, base, at, to, list);
        }
      }
    }
    return clip(list.extents, offset, end);
  }

  /** Where the tables say something of a guest offset (bytes): for messages about damage. */
  tablesOf(guestOffset: number): { l1Index: number; l2Offset: number; l2Index: number } {
    const l1Index = Math.floor(guestOffset / this.header.l2Coverage);
    const l2Index = Math.floor((guestOffset % this.header.l2Coverage) / this.clusterSize);
    return { l1Index, l2Offset: this.#l2Offset(l1Index), l2Index };
  }

  /**
   * The disk as a snapshot keeps it. It shares file and backing image with this one, which is to be
   * closed and not the snapshot's.
   * @param size what its size is: that of the disk now, as with `convert -l`, or its own
   * @throws ImageError invalid-header (snapshot-table-invalid): its L1 table cannot be had
   */
  async openSnapshot(snapshot: Snapshot, size: 'now' | 'then' = 'now'): Promise<Qcow2Image> {
    checkSnapshotL1(snapshot, this.header);
    const header = size === 'now' ? this.header : { ...this.header, size: snapshot.diskSize };
    const image = new Qcow2Image(this.storage, header, {
      l1: await readTable(this.storage, snapshot.l1TableOffset, snapshot.l1Size),
      snapshots: this.snapshotTable,
      snapshotError: this.snapshotError,
      bitmaps: [],
      luks: this.luks,
      luksError: this.luksError,
    });
    image.backing = this.backing;
    image.withoutBacking = this.withoutBacking;
    image.dataFile = this.dataFile;
    image.cipher = this.cipher;
    return image;
  }

  async close(): Promise<void> {
    await this.backing?.close();
    await this.dataFile?.close();
    await this.storage.close();
  }

  #l2Offset(index: number): number {
    return entryOffset(this.l1[index * 2] ?? 0, this.l1[index * 2 + 1] ?? 0);
  }

  #tableOffsets(first: number, last: number): number[] {
    const offsets: number[] = [];
    for (let index = first; index < last; index++) {
      const offset = this.#l2Offset(index);
      if (offset !== 0 && isAligned(offset, this.clusterSize)) offsets.push(offset);
    }
    return offsets;
  }
}

interface Tables {
  l1: Table;
  snapshots: SnapshotTable;
  snapshotError: ImageError | undefined;
  bitmaps: readonly Bitmap[];
  luks: LuksHeader | undefined;
  luksError: ImageError | undefined;
}

/**
 * Opens a qcow2 image; its backing image is opened by the caller (formats/index.ts).
 * @throws ImageError invalid-header, unknown-features, not-a-disk-image and those of reading
 */
export async function openQcow2(storage: Storage, mode: OpenMode): Promise<Qcow2Image> {
  let front = await readFront(storage, FIRST_READ);
  const clusterSize = peekClusterSize(front.bytes);
  if (clusterSize > FIRST_READ) front = await readFront(storage, clusterSize);
  const header = parseFront(front, mode);
  const encryption = await readEncryptionFor(storage, header, mode);
  const [l1, snapshots, bitmaps] = await Promise.all([
    readTable(storage, header.l1TableOffset, header.l1Size),
    readSnapshotsFor(storage, header, mode),
    readBitmaps(storage, header),
  ]);
  return new Qcow2Image(storage, header, { l1, bitmaps, ...snapshots, ...encryption });
}

/** @throws what the medium said, where a damaged place may hold something of the header */
function parseFront({ bytes, error }: Front, mode: OpenMode): Header {
  if (error === undefined) return parseHeader(bytes, mode);
  try {
    const header = parseHeader(bytes, mode);
    if (headerEnd(header) <= bytes.length) return header;
  } catch (fault) {
    if (!isImageError(fault)) throw fault;
  }
  throw error;
}

async function readSnapshotsFor(storage: Storage, header: Header, mode: OpenMode) {
  const none: SnapshotTable = { snapshots: [], size: 0 };
  try {
    checkSnapshotPointer(header);
    return { snapshots: await readSnapshots(storage, header), snapshotError: undefined };
  } catch (error) {
    if (mode !== 'check' || !(error instanceof ImageError)) throw error;
    return { snapshots: none, snapshotError: error };
  }
}

async function readEncryptionFor(storage: Storage, header: Header, mode: OpenMode) {
  try {
    return { luks: await readEncryption(storage, header), luksError: undefined };
  } catch (error) {
    // What the tables say is known without it, and they may be what is to be saved.
    if (mode === 'info' || !isImageError(error, 'invalid-header')) throw error;
    return { luks: undefined, luksError: error };
  }
}
