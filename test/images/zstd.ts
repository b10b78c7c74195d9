/** Compressed clusters of the newer kind, without an encoder: frames of zstd, and simple ones. */
import { freshNoise } from './noise.ts';
import frames from './zstd-frames.json' with { type: 'json' };

const contents = new Map<string, Uint8Array>();

/** What the frames of zstd-frames.json (made by zstd 1.5.4) hold: literals and close matches. */
export function frameContent(seed: number, length: number): Uint8Array {
  const key = `${seed}/${length}`;
  const known = contents.get(key) ?? makeContent(seed, length);
  contents.set(key, known);
  return known;
}

function makeContent(seed: number, length: number): Uint8Array {
  const source = freshNoise(seed, length, 5);
  const pick = (index: number): number => source[index % source.length]!;
  const bytes = new Uint8Array(length);
  let at = 0;
  let turn = 0;
  while (at < length) {
    const step = pick(turn) + pick(turn + 1) * 9 + 1;
    turn += 2;
    if (turn % 3 === 0 || at < 50) {
      for (let i = 0; i < step && at < length; i++, at++) bytes[at] = 97 + pick(at * 7) * 3;
    } else {
      const back = 1 + ((pick(turn) * 11 + step) % Math.min(at, 49));
      for (let i = 0; i < step * 2 && at < length; i++, at++) bytes[at] = bytes[at - back]!;
    }
  }
  return bytes;
}

/** Content of a cluster for which there is a frame; another one for each seed. */
export function packable(seed: number, clusterSize: number): Uint8Array {
  const known = frames.filter(({ length }) => length === clusterSize);
  const frame = known[seed % (known.length + 1)];
  if (frame !== undefined) return frameContent(frame.seed, frame.length);
  const bytes = new Uint8Array(clusterSize);
  const step = clusterSize / 8;
  for (let part = 0; part < 8; part++) bytes.fill((seed * 7 + part) & 255, part * step, (part + 1) * step);
  return bytes;
}

/** The frame of such a content; undefined for any other. */
export function zstdFrame(content: Uint8Array): Uint8Array | undefined {
  for (const { seed, length, frame } of frames) {
    if (length !== content.length || Buffer.compare(frameContent(seed, length), content) !== 0) continue;
    return Buffer.from(frame, 'base64');
  }
  return runsFrame(content);
}

/** RFC 8878, 3.1.1: a window, then blocks of one repeated byte each (type 1). */
function runsFrame(content: Uint8Array): Uint8Array | undefined {
  const bytes = [0x28, 0xb5, 0x2f, 0xfd, 0, 0x58];
  const step = content.length / 8;
  for (let part = 0; part < 8; part++) {
    const run = content.subarray(part * step, (part + 1) * step);
    const [value = 0] = run;
    if (run.some((byte) => byte !== value)) return undefined;
    // A block holds 128 KiB at most.
    for (let left = step; left > 0; left -= 131072) {
      const size = Math.min(left, 131072);
      const isLast = part === 7 && left <= 131072 ? 1 : 0;
      const head = (size << 3) | 2 | isLast;
      bytes.push(head & 255, (head >>> 8) & 255, head >>> 16, value);
    }
  }
  return Uint8Array.from(bytes);
}
