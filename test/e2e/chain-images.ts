/** Images of several files, with snapshots and bitmaps; made here, without qemu-img. */
import { createCipheriv } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BuiltImage, buildQcow2, type ClusterSpec } from '../images/build-qcow2.ts';
import { HEADER, made, type MadeFile } from './images.ts';

export const CLUSTER = 65536;
/** Guest clusters of each disk here. */
const COUNT = 16;
const SIZE = COUNT * CLUSTER;

/** A cluster that is like no other. */
function bytes(seed: number): Buffer {
  const content = Buffer.alloc(CLUSTER);
  for (let at = 0; at < CLUSTER; at += 4) content.writeUInt32LE((at * 2654435761 + seed) >>> 0, at);
  return content;
}

function data(seed: number): ClusterSpec {
  return { kind: 'data', bytes: bytes(seed) };
}

export interface Chain {
  top: string;
  middle: string;
  base: string;
  /** What the guest reads. */
  content: Buffer;
}

/** A chain of three in a folder: `top.qcow2` on `middle.qcow2` on `base.raw`. */
export function writeChain(folder: string): Chain {
  const files = {
    top: join(folder, 'top.qcow2'),
    middle: join(folder, 'middle.qcow2'),
    base: join(folder, 'base.raw'),
  };
  const content = Buffer.concat(Array.from({ length: COUNT }, (_, index) => bytes(index)));
  writeFileSync(files.base, content);
  const layer = (clusters: [number, ClusterSpec][], name: string, format: string) =>
    buildQcow2({ size: SIZE, clusters: new Map(clusters), backing: { name, format } }).bytes;
  const middle: [number, ClusterSpec][] = [
    [1, data(101)],
    [2, data(102)],
    [3, { kind: 'zero' }],
  ];
  const top: [number, ClusterSpec][] = [
    [2, data(202)],
    [9, { kind: 'compressed', bytes: Buffer.alloc(CLUSTER, 'x') }],
  ];
  writeFileSync(files.middle, layer(middle, 'base.raw', 'raw'));
  writeFileSync(files.top, layer(top, 'middle.qcow2', 'qcow2'));
  for (const [index, cluster] of [...middle, ...top]) {
    const piece = 'bytes' in cluster ? cluster.bytes : Buffer.alloc(CLUSTER);
    content.set(piece, index * CLUSTER);
  }
  return { ...files, content };
}

/** An overlay with any words for the name of its base. */
export function overlayOn(name: string, format = ''): MadeFile {
  const { bytes: image } = buildQcow2({
    size: SIZE,
    clusters: new Map([[0, data(1)]]),
    backing: { name, format },
  });
  return made('overlay.qcow2', Buffer.from(image));
}

/** Files of which one is given for the base of the other, although much speaks against it. */
export function suspiciousChain(): MadeFile[] {
  return [made('odd.qcow2', oddImage()), made('odd-copy.qcow2', oddImage())];
}

function oddImage(): Buffer {
  const backing = { name: '/srv/images/odd-copy.qcow2', format: 'raw' };
  return Buffer.from(buildQcow2({ size: SIZE, clusters: new Map(), backing }).bytes);
}

/** What the disk of {@link keptImage} was when its snapshot was taken, and what it is now. */
export const KEPT = {
  now: Buffer.concat([bytes(1), bytes(2), Buffer.alloc(SIZE - 2 * CLUSTER)]),
  then: Buffer.concat([bytes(1), bytes(3), Buffer.alloc(SIZE - 2 * CLUSTER)]),
};

/** An image with a snapshot and two bitmaps, one of which marks the last quarter of the disk. */
export function keptImage(): BuiltImage & { bytes: Buffer } {
  const bits = Buffer.alloc(2);
  bits.writeUInt16LE(0xf000);
  const image = buildQcow2({
    size: SIZE,
    clusters: new Map([
      [0, data(1)],
      [1, data(2)],
    ]),
    snapshots: [
      {
        id: '1',
        name: 'before the upgrade',
        clusters: new Map([
          [0, data(1)],
          [1, data(3)],
        ]),
        extra: 16,
      },
    ],
    bitmaps: [
      { name: 'monday', granularityBits: 16, bits },
      { name: 'broken off', granularityBits: 16, inUse: true, bits: Buffer.alloc(2) },
    ],
  });
  return { ...image, bytes: Buffer.from(image.bytes) };
}

/** An image in the legacy encryption of qcow2, and what it holds. */
export function legacyEncrypted(passphrase: string): { file: MadeFile; content: Buffer } {
  const key = Buffer.alloc(16);
  key.write(passphrase.slice(0, 16));
  const plain = bytes(77);
  const at = 5 * CLUSTER;
  const sectors = Array.from({ length: CLUSTER / 512 }, (_, index) => {
    const vector = Buffer.alloc(16);
    vector.writeUInt32LE(at / 512 + index);
    const cipher = createCipheriv('aes-128-cbc', key, vector).setAutoPadding(false);
    return cipher.update(plain.subarray(index * 512, (index + 1) * 512));
  });
  const image = Buffer.from(
    buildQcow2({
      size: SIZE,
      clusters: new Map([[5, { kind: 'data', bytes: Buffer.concat(sectors) }]]),
    }).bytes,
  );
  image.writeUInt32BE(1, HEADER.cryptMethod);
  const content = Buffer.alloc(SIZE);
  plain.copy(content, at);
  return { file: made('legacy.qcow2', image), content };
}
