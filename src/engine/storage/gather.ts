/**
 * Reading many pieces of a storage in few requests. A read of a picked file costs about 0.7 ms
 * whatever its size up to 64 KiB, so neighbours are read together and small gaps are read through.
 */
import type { ReadRequest, Storage } from './storage.ts';

/** A piece that is wanted, bytes. */
export interface Piece {
  readonly offset: number;
  readonly length: number;
}

/** One request that brings one or several pieces. */
export interface Request<P extends Piece> {
  offset: number;
  length: number;
  pieces: P[];
}

/** Gaps up to this are cheaper to read than to skip (browser measurements: about 500 KiB). */
export const READ_THROUGH = 256 * 1024;
/** Requests end when they have this many bytes, except for a single larger piece. */
export const REQUEST_LIMIT = 4 * 1024 * 1024;
/** How many requests are under way at once. */
export const REQUESTS_AT_ONCE = 4;

/** Merges pieces, which must be sorted by offset, into requests. Pieces may overlap. */
export function coalesce<P extends Piece>(
  pieces: readonly P[],
  limit = REQUEST_LIMIT,
  gap = READ_THROUGH,
): Request<P>[] {
  const requests: Request<P>[] = [];
  let current: Request<P> | undefined;
  for (const piece of pieces) {
    const end = piece.offset + piece.length;
    if (
      current !== undefined &&
      piece.offset - (current.offset + current.length) <= gap &&
      end - current.offset <= limit
    ) {
      current.length = Math.max(current.length, end - current.offset);
      current.pieces.push(piece);
    } else {
      current = { offset: piece.offset, length: piece.length, pieces: [piece] };
      requests.push(current);
    }
  }
  return requests;
}

/** A bundle for {@link Storage.readMany} has at most this many requests, and REQUEST_LIMIT bytes. */
const BUNDLE = 256;
/** Bundles under way at once. */
const BUNDLES_AT_ONCE = 4;

/**
 * Reads the pieces and hands each over as a view into its request's buffer (copy it to keep it).
 * Bytes behind the end of the storage are zeros. Order of the calls is not that of the pieces.
 */
export async function gather<P extends Piece>(
  storage: Storage,
  pieces: readonly P[],
  use: (piece: P, bytes: Uint8Array<ArrayBuffer>) => void,
): Promise<void> {
  const sorted = pieces.slice().sort((a, b) => a.offset - b.offset);
  const bundles = bundle(coalesce(sorted), storage.readMany === undefined ? 1 : BUNDLE);
  let next = 0;
  async function work(): Promise<void> {
    for (let requests = bundles[next++]; requests !== undefined; requests = bundles[next++]) {
      const reads = requests.map(({ offset, length }) => ({
        offset,
        target: new Uint8Array(length),
      }));
      await readAll(storage, reads);
      for (const [index, request] of requests.entries()) {
        const bytes = reads[index]?.target;
        if (bytes === undefined) continue;
        for (const piece of request.pieces) {
          const at = piece.offset - request.offset;
          use(piece, bytes.subarray(at, at + piece.length));
        }
      }
    }
  }
  const lanes = storage.readMany === undefined ? REQUESTS_AT_ONCE : BUNDLES_AT_ONCE;
  await Promise.all(Array.from({ length: Math.min(lanes, bundles.length) }, work));
}

async function readAll(storage: Storage, reads: readonly ReadRequest[]): Promise<void> {
  const [first] = reads;
  if (storage.readMany !== undefined && reads.length > 1) await storage.readMany(reads);
  else if (first !== undefined && first.offset < storage.size) {
    await storage.read(first.offset, first.target);
  }
}

function bundle<P extends Piece>(requests: readonly Request<P>[], most: number): Request<P>[][] {
  const bundles: Request<P>[][] = [];
  let current: Request<P>[] = [];
  let bytes = 0;
  for (const request of requests) {
    if (current.length >= most || (current.length > 0 && bytes + request.length > REQUEST_LIMIT)) {
      bundles.push(current);
      current = [];
      bytes = 0;
    }
    current.push(request);
    bytes += request.length;
  }
  if (current.length > 0) bundles.push(current);
  return bundles;
}
