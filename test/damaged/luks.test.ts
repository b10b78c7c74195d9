/** Damaged encryption headers: whatever they say, it ends soon, in an ImageError or the right bytes. */
import { beforeAll, describe, expect, it } from 'vitest';
import {
  checkImage,
  ImageError,
  inspect,
  isImageError,
  openImage,
  readDisk,
  type Unlock,
} from '../../src/engine/index.ts';
import { buildQcow2 } from '../images/build-qcow2.ts';
import { encryptQcow2, type EncryptedImage } from '../images/encrypt-qcow2.ts';
import { memory } from '../images/memory.ts';
import { randomFor } from '../images/wounds.ts';

const PASSPHRASE = 'secret';
const SIZE = 256 * 1024;
/** Milliseconds that one image may take. */
const PATIENCE = 5000;

const content = Uint8Array.from({ length: SIZE }, (_, index) => (index * 7) % 251);
let image: EncryptedImage;

beforeAll(() => {
  const clusters = new Map(
    [0, 1, 3].map((index) => {
      const bytes = content.subarray(index * 65536, (index + 1) * 65536);
      return [index, { kind: 'data' as const, bytes }];
    }),
  );
  content.fill(0, 2 * 65536, 3 * 65536);
  // The shortest key has the least material: most of the time goes into merging it.
  image = encryptQcow2(buildQcow2({ size: SIZE, clusters }), {
    ...{ bits: 128, mode: 'cbc', vectors: 'essiv:sha256', hash: 'sha256', masterIterations: 100 },
    slots: { 2: { passphrase: PASSPHRASE, iterations: 150 } },
  });
});

/** Gives the passphrase, once, unless it would take long. */
const unlock: Unlock = ({ attempt, seconds }) => {
  const given = attempt === 0 && seconds < 1 ? new TextEncoder().encode(PASSPHRASE) : undefined;
  return Promise.resolve(given);
};

/** Reads everything; undefined where the image says itself that it cannot be read. */
async function read(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array | undefined> {
  const disk = await openImage(await memory(bytes), { unlock });
  if (disk.contentMissing !== undefined) return undefined;
  return readDisk(disk, 0, disk.size);
}

function isRight(bytes: Uint8Array | undefined): boolean {
  return bytes !== undefined && Buffer.from(content.buffer).equals(bytes);
}

it('opens unharmed', async () => {
  expect(isRight(await read(image.bytes))).toBe(true);
});

describe('wrong values', () => {
  it.each([
    ['length of the pointer', 'pointer', 8, 8],
    ['offset of the pointer', 'pointer', 0, 8],
    ['key bytes', 'luks', 108, 4],
    ['payload offset', 'luks', 104, 4],
    ['iterations', 'luks', 164, 4],
    ['slot iterations', 'luks', 208 + 96 + 4, 4],
    ['slot offset', 'luks', 208 + 96 + 40, 4],
    ['slot stripes', 'luks', 208 + 96 + 44, 4],
  ] as const)('%s', async (_, base, at, width) => {
    for (const value of [
      0n,
      1n,
      4096n,
      2n ** 31n - 1n,
      2n ** 32n - 1n,
      2n ** 63n,
      2n ** 64n - 1n,
    ]) {
      const bytes = image.bytes.slice();
      const view = new DataView(bytes.buffer);
      const place = (base === 'luks' ? image.luksAt : image.pointerAt) + at;
      if (width === 8) view.setBigUint64(place, value);
      else view.setUint32(place, Number(BigInt.asUintN(32, value)));
      const start = performance.now();
      const found = await read(bytes).catch((error: unknown) => error);
      expect(performance.now() - start).toBeLessThan(PATIENCE);
      if (found instanceof Uint8Array) expect(isRight(found)).toBe(true);
      else if (found !== undefined) expect(found).toBeInstanceOf(ImageError);
    }
  });

  it('the image stays locked, but its tables can be checked', async () => {
    const bytes = image.bytes.slice();
    bytes[image.luksAt] = 0;
    const disk = await openImage(await memory(bytes));
    expect(disk.contentMissing).toBe('locked');
    expect((await inspect(disk)).qcow2?.luks).toBeUndefined();
    // Only the clusters of the header were not counted when this image was built.
    const report = await checkImage(disk);
    expect(report.checkErrors).toBe(0);
    const failure = await openImage(await memory(bytes), { unlock }).catch((e: unknown) => e);
    expect(isImageError(failure, 'invalid-header')).toBe(true);
    const strict = await openImage(await memory(bytes), { mode: 'info' }).catch((e: unknown) => e);
    expect(isImageError(strict, 'invalid-header')).toBe(true);
  });

  it('a header that is cut off', async () => {
    for (const end of [1, 300, 592, 4096, 300_000, 600_000]) {
      const cut = image.bytes.slice(0, image.luksAt + end);
      const found = await read(cut).catch((error: unknown) => error);
      if (found instanceof Uint8Array) expect(isRight(found)).toBe(true);
      else expect(found).toBeInstanceOf(ImageError);
    }
  });
});

const ROUNDS = 200;
it(`${ROUNDS} headers with bytes changed`, async () => {
  let opened = 0;
  for (let seed = 0; seed < ROUNDS; seed++) {
    const random = randomFor(seed);
    const bytes = image.bytes.slice();
    for (let left = 1 + random(3); left > 0; left--) {
      // Mostly the numbers and names, now and then salts and key material.
      const at = random(4) === 0 ? 4096 + random(2_000_000) : random(592);
      bytes[image.luksAt + at] = random(2) === 0 ? random(256) : [0, 1, 127, 128, 255][random(5)]!;
    }
    const start = performance.now();
    const found = await read(bytes).catch((error: unknown) => error);
    expect(performance.now() - start, `seed ${seed}`).toBeLessThan(PATIENCE);
    if (found instanceof Uint8Array) {
      opened++;
      expect(isRight(found), `seed ${seed}`).toBe(true);
    } else if (found !== undefined) {
      expect(found, `seed ${seed}`).toBeInstanceOf(ImageError);
      expect((found as ImageError).code, `seed ${seed}`).not.toBe('internal');
    }
  }
  expect(opened).toBeGreaterThan(8);
}, 60_000);
