/** What lies in the places of a file that its guest does not see: remains, and secrets among them. */
import { SECTOR } from '../binary/units.ts';
import { throwIfCancelled } from '../errors.ts';
import type { Disk } from '../formats/format.ts';
import type { CellKind, PictureRun } from '../formats/picture-kinds.ts';
import { FilePicture } from '../operations/picture-file.ts';
import { seeFile } from '../operations/read-lenient.ts';
import { nonZeroRuns } from '../operations/zeros.ts';
import { pacer } from '../yield.ts';
import { PlaceList } from './deep-places.ts';
import { SecretScanner, type SecretTally } from './deep-secrets.ts';

/** Runs that are asked for at once. */
const RUNS = 4096;
/** Bytes that are read at once. */
const READ = 4 * 1024 * 1024;
/** Bytes that are searched between two looks at the signal. */
const PIECE = 512 * 1024;

/** Nothing uses them, or what does reads as zeros. */
const STALE: ReadonlySet<CellKind> = new Set(['leaked', 'free', 'zero-held']);

export interface StaleOptions {
  signal: AbortSignal | undefined;
  /** Bytes of the file that are behind us. */
  passed: (offset: number) => void;
}

export class StaleLook {
  /** Bytes of sectors that hold something. */
  stale = 0;
  bytesRead = 0;
  readonly places = new PlaceList();
  readonly #disk: Disk;
  readonly #options: StaleOptions;
  readonly #scanner: SecretScanner | undefined;
  readonly #pace: () => Promise<void> | undefined;

  constructor(disk: Disk, tally: SecretTally, options: StaleOptions) {
    this.#disk = disk;
    this.#options = options;
    // What was encrypted is noise here.
    const isNoise = disk.cipher !== undefined || disk.contentMissing === 'locked';
    this.#scanner = isNoise ? undefined : new SecretScanner(tally, true);
    this.#pace = pacer(options.signal);
  }

  /** @throws ImageError too-large, cancelled and those of reading tables */
  async run(): Promise<void> {
    const { signal, passed } = this.#options;
    const picture = new FilePicture(this.#disk);
    const { size } = this.#disk.storage;
    for (let at = 0; at < size;) {
      const runs = await picture.runs(at, RUNS, { signal });
      const last = runs.at(-1);
      if (last === undefined) break;
      for (const run of runs) {
        const isStale = STALE.has(run.kind);
        // What only snapshots hold is no remains, but is given away with the file.
        const isSearched = run.kind === 'snapshot-data' && this.#scanner !== undefined;
        if (isStale || isSearched) await this.#look(run, isStale);
      }
      at = last.offset + last.length;
      passed(at);
    }
    this.#scanner?.flush();
  }

  async #look({ offset, length }: PictureRun, isStale: boolean): Promise<void> {
    const { storage } = this.#disk;
    for (let at = offset; at < offset + length; at += READ) {
      throwIfCancelled(this.#options.signal);
      const { bytes } = await seeFile(storage, at, Math.min(READ, offset + length - at));
      this.bytesRead += bytes.length;
      for (const { start, end } of nonZeroRuns(bytes, at, SECTOR)) {
        if (isStale) {
          this.stale += end - start;
          this.places.add(at + start, end - start);
        }
        await this.#search(at + start, bytes.subarray(start, end));
      }
      await this.#breathe();
      this.#options.passed(at);
    }
  }

  async #search(offset: number, bytes: Uint8Array): Promise<void> {
    if (this.#scanner === undefined) return;
    for (let at = 0; at < bytes.length; at += PIECE) {
      this.#scanner.feed(offset + at, bytes.subarray(at, at + PIECE));
      await this.#breathe();
    }
  }

  async #breathe(): Promise<void> {
    const pause = this.#pace();
    if (pause === undefined) return;
    await pause;
    throwIfCancelled(this.#options.signal);
  }
}
