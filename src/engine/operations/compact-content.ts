/** The content of a compacted image: clusters of the source in their new order. */
import type { Cipher } from '../codecs/cipher.ts';
import { readBitmapTable } from '../formats/qcow2/check/walk.ts';
import { entryOffset } from '../formats/qcow2/tables.ts';
import { gather, type Piece } from '../storage/gather.ts';
import type { Storage } from '../storage/storage.ts';
import type { CompactPlan } from './compact-plan.ts';
import { areScattered, moveByFile, type Moves } from './compact-scattered.ts';
import type { SequentialWriter } from './compact-writer.ts';

/** Bytes of content that are read together: the more, the fewer ways back and forth. */
const WINDOW = 8 * 1024 * 1024;
/** Pieces of a window: they take memory too. */
const MOST_PIECES = 32 * 1024;

/** A stretch of the source, and where in its window it goes. */
interface Stretch extends Piece {
  /** Grows with neighbours. */
  length: number;
  readonly at: number;
}

interface Window {
  readonly stretches: Stretch[];
  readonly length: number;
}

export async function writeBitmapClusters(
  plan: CompactPlan,
  writer: SequentialWriter,
): Promise<void> {
  const { image } = plan;
  const context = { image, passed: () => plan.breathe() };
  const bitmaps = image.header.bitmaps === undefined ? [] : image.bitmaps;
  for (const bitmap of bitmaps) {
    for await (const table of readBitmapTable(context, bitmap)) {
      const offsets: number[] = [];
      for (let at = 0; at < table.length; at += 2) {
        const offset = entryOffset(table[at] as number, table[at + 1] as number);
        if (offset !== 0) offsets.push(offset);
      }
      const place = (index: number) => ({
        offset: offsets[index] ?? 0,
        length: image.clusterSize,
      });
      await copy(image.storage, windows(offsets.length, place), writer);
    }
  }
}

/** Plain clusters; what is encrypted by its place in the file is encrypted anew. */
export async function writePlain(plan: CompactPlan, writer: SequentialWriter): Promise<void> {
  const { plain, image } = plan;
  const { clusterSize, storage } = image;
  const place = (number: number) => ({
    offset: plain.sourceOf(number) * clusterSize,
    length: clusterSize,
  });
  const isMoved = image.cipher !== undefined && image.cipher.countsBy === 'host';
  const cipher = isMoved ? image.cipher : undefined;
  const goal = (number: number) => number * clusterSize;
  const moves = { count: plain.length, place, goal, cipher };
  if (areScattered(moves)) await leave(storage, moves, plain.length * clusterSize, writer);
  else await copy(storage, windows(plain.length, place), writer, cipher);
}

/** Has the pieces written in the order in which they are found. */
function leave(
  source: Storage,
  moves: Moves,
  length: number,
  writer: SequentialWriter,
): Promise<void> {
  return writer.leave(length, (target, start, passed) =>
    moveByFile(source, moves, target, start, passed),
  );
}

/** Packed clusters, which nobody encrypts. */
export async function writePacked(plan: CompactPlan, writer: SequentialWriter): Promise<void> {
  const { streams, streamOrder, streamPlaces, layout, image } = plan;
  const start = layout.packed * image.clusterSize;
  const lastOne = streamOrder.at(-1);
  if (lastOne === undefined) return;
  const all = {
    count: streamOrder.length,
    place: (index: number) => pieceOf(plan, streamOrder[index] as number),
    goal: (index: number) => streamPlaces[streamOrder[index] as number] as number,
  };
  if (areScattered(all)) {
    await writer.padTo(start);
    const length = (streamPlaces[lastOne] as number) + streams.length(lastOne);
    await leave(image.storage, all, length, writer);
    return;
  }
  let from = 0;
  // Where the packing leaves a gap, a new run begins.
  for (let to = 1; to <= streamOrder.length; to++) {
    const last = streamOrder[to - 1] as number;
    const next = streamOrder[to];
    const end = (streamPlaces[last] as number) + streams.length(last);
    if (next !== undefined && streamPlaces[next] === end) continue;
    await writer.padTo(start + (streamPlaces[streamOrder[from] as number] as number));
    const first = from;
    const place = (index: number) => pieceOf(plan, streamOrder[first + index] as number);
    await copy(image.storage, windows(to - first, place), writer);
    from = to;
  }
}

function pieceOf({ streams }: CompactPlan, stream: number): Piece {
  return { offset: streams.offset(stream), length: streams.length(stream) };
}

/** Pieces in their new order, neighbours joined, cut into windows. */
function* windows(count: number, place: (index: number) => Piece): Generator<Window, undefined> {
  let stretches: Stretch[] = [];
  let length = 0;
  for (let index = 0; index < count; index++) {
    const piece = place(index);
    const isFull = length + piece.length > WINDOW || stretches.length >= MOST_PIECES;
    if (isFull && length > 0) {
      yield { stretches, length };
      stretches = [];
      length = 0;
    }
    const last = stretches.at(-1);
    if (last !== undefined && last.offset + last.length === piece.offset) {
      last.length += piece.length;
    } else stretches.push({ ...piece, at: length });
    length += piece.length;
  }
  if (length > 0) yield { stretches, length };
  return undefined;
}

/** One window is read while the one before is written. */
async function copy(
  source: Storage,
  all: Generator<Window, undefined>,
  writer: SequentialWriter,
  cipher?: Cipher,
): Promise<void> {
  const start = (): Promise<Uint8Array> | undefined => {
    const { value: window } = all.next();
    if (window === undefined) return undefined;
    const reading = read(source, window);
    // Should writing fail before it is waited for, its failure is nobody's business.
    reading.catch(() => undefined);
    return cipher === undefined ? reading : recrypted(reading, window, cipher);
  };
  let position = writer.position;
  async function recrypted(reading: Promise<Uint8Array>, window: Window, key: Cipher) {
    const target = position;
    position += window.length;
    return recrypt(await reading, window, key, target);
  }
  for (let next = start(); next !== undefined;) {
    const current = await next;
    next = start();
    next?.catch(() => undefined);
    await writer.append(current);
  }
}

async function read(source: Storage, { stretches, length }: Window): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  await gather(source, stretches, ({ at }, view) => {
    bytes.set(view, at);
  });
  return bytes;
}

async function recrypt(
  bytes: Uint8Array,
  { stretches }: Window,
  cipher: Cipher,
  position: number,
): Promise<Uint8Array> {
  const moved = stretches.map(async ({ offset, length, at }) => {
    const plain = await cipher.decrypt(bytes.slice(at, at + length), offset);
    bytes.set(await cipher.encrypt(plain, position + at), at);
  });
  await Promise.all(moved);
  return bytes;
}
