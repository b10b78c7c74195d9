/** What plain content packs to: a sample of it, spread evenly, is packed as qcow2 would. */
import type { CodecPool } from '../codecs/pool.ts';

/** Bytes of the sample: a part of the file, but not less than this where there is so much. */
const LEAST = 8 * 1024 * 1024;
const SHARE = 1 / 128;
const MOST = 16 * 1024 * 1024;
/** Of one piece: packing a cluster of 2 MiB takes too long at once. */
const PIECE = 64 * 1024;
/** Pieces are packed when there are so many bytes of them. */
const BATCH = 512 * 1024;

export class PackedSample {
  sampled = 0;
  packed = 0;
  readonly #size: number;
  readonly #stride: number;
  readonly #pool: CodecPool;
  #seen = 0;
  #taken: Uint8Array[] = [];
  readonly #running: Promise<void>[] = [];

  /**
   * @param unit bytes of what is offered
   * @param fileSize bytes; there is not much more content than that
   */
  constructor(unit: number, fileSize: number, pool: CodecPool) {
    this.#size = Math.min(unit, PIECE);
    const wanted = Math.min(MOST, Math.max(LEAST, fileSize * SHARE));
    // Of larger units only the first piece is taken.
    this.#stride = Math.max(1, Math.ceil((fileSize / unit) * (this.#size / wanted)));
    this.#pool = pool;
  }

  /** A unit of plain content that is not all zeros; a part of one is not taken. */
  offer(bytes: Uint8Array): void {
    this.#seen += 1;
    if ((this.#seen - 1) % this.#stride !== 0 || bytes.length < this.#size) return;
    this.#taken.push(bytes.slice(0, this.#size));
  }

  /** Starts to pack what was taken, as soon as it is worth it: nobody waits while few are under way. */
  async pack(least = BATCH): Promise<void> {
    while (this.#taken.length > 0 && this.#taken.length * this.#size >= least) {
      const most = Math.max(1, Math.floor(BATCH / this.#size));
      const running = this.#pack(this.#taken.splice(0, most));
      // Its failure is met where it is waited for; nobody may come so far.
      running.catch(() => undefined);
      this.#running.push(running);
      if (this.#running.length > this.#pool.concurrency) await this.#running.shift();
    }
  }

  async #pack(pieces: readonly Uint8Array[]): Promise<void> {
    const clusterSize = this.#size;
    const data = new Uint8Array(pieces.length * clusterSize);
    for (const [index, piece] of pieces.entries()) data.set(piece, index * clusterSize);
    const { lengths } = await this.#pool.pack({ codec: 'zlib', data, clusterSize });
    this.sampled += pieces.length * clusterSize;
    // 0: it does not get smaller.
    for (const length of lengths) this.packed += length === 0 ? clusterSize : length;
  }

  async finish(): Promise<void> {
    await this.pack(0);
    await Promise.all(this.#running.splice(0));
  }
}
