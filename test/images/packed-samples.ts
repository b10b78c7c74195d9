/**
 * Data that was packed once by the real programs, so that no test needs these:
 * packed-samples.json has the arguments and what came out, for the content of that name.
 * (bzip2 1.0.8, xz 5.4.1)
 */
import { freshNoise } from './noise.ts';
import samples from './packed-samples.json' with { type: 'json' };
import { frameContent } from './zstd.ts';

/** One packed piece of data. */
export interface PackedSample {
  readonly content: ContentName;
  readonly program: string;
  readonly packed: Uint8Array;
}

const CONTENTS = {
  empty: () => new Uint8Array(),
  byte: () => Uint8Array.of(65),
  words: () => frameContent(3, 110_000),
  /** Runs around the lengths that bzip2 writes in another way, one after the other. */
  runs: () => runs([1, 2, 3, 4, 5, 6, 254, 255, 256, 258, 259, 260, 261, 513, 514, 515, 9000]),
  noise: () => freshNoise(7, 5000),
  zeros: () => new Uint8Array(2_500_000),
  /** What a small file system looks like: a little of everything, in whole sectors. */
  disk: () => disk(),
} as const;

export type ContentName = keyof typeof CONTENTS;

const made = new Map<string, Uint8Array>();

export function contentOf(name: ContentName): Uint8Array {
  const known = made.get(name) ?? CONTENTS[name]();
  made.set(name, known);
  return known;
}

/** The samples of one program, `bzip2` or `xz`. */
export function packedSamples(program: string): PackedSample[] {
  return samples
    .filter((sample) => sample.program.startsWith(`${program} `))
    .map(({ content, program: how, packed }) => ({
      content: content as ContentName,
      program: how,
      packed: new Uint8Array(Buffer.from(packed, 'base64')),
    }));
}

function runs(lengths: readonly number[]): Uint8Array {
  const parts = lengths.flatMap((length, index) => [
    new Uint8Array(length).fill(97 + index),
    new Uint8Array(length).fill(97 + (index % 2)),
  ]);
  return Uint8Array.from(Buffer.concat(parts));
}

function disk(): Uint8Array {
  const bytes = new Uint8Array(64 * 512);
  bytes.set(frameContent(5, 9000), 512);
  bytes.set(freshNoise(5, 1500), 20 * 512);
  bytes.set(frameContent(6, 6000), 40 * 512);
  bytes.set([0x55, 0xaa], 510);
  return bytes;
}
