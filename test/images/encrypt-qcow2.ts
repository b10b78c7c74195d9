/** Encrypts an image that was built for a test: LUKS behind its end, each sector by its place. */
import { alignUp } from '../../src/engine/binary/units.ts';
import type { BuiltImage } from './build-qcow2.ts';
import { encryptSectors, luksHeader, makeMasterKey, type LuksFormat } from './luks-format.ts';

/** An encrypted image and where its LUKS header is, bytes. */
export interface EncryptedImage {
  bytes: Uint8Array<ArrayBuffer>;
  luksAt: number;
  /** Of the header extension that points to it: its 16 bytes. */
  pointerAt: number;
}

const LUKS = 2;
const EXTENSION = 0x0537be77;
const PLACE = 0x00fffffffffffe00n;
const COMPRESSED = 1n << 62n;

/** Of an image with standard L2 tables and without other header extensions. */
export function encryptQcow2(image: BuiltImage, format: LuksFormat): EncryptedImage {
  const { clusterSize, extensionsOffset } = image;
  const masterKey = makeMasterKey(format);
  const luks = luksHeader(format, masterKey);
  const luksAt = alignUp(image.bytes.length, clusterSize);
  const bytes = Buffer.alloc(luksAt + luks.length);
  bytes.set(image.bytes);
  bytes.set(luks, luksAt);
  bytes.writeUInt32BE(LUKS, 32);
  bytes.writeUInt32BE(EXTENSION, extensionsOffset);
  bytes.writeUInt32BE(16, extensionsOffset + 4);
  bytes.writeBigUInt64BE(BigInt(luksAt), extensionsOffset + 8);
  bytes.writeBigUInt64BE(BigInt(luks.length), extensionsOffset + 16);
  bytes.writeBigUInt64BE(0n, extensionsOffset + 24);
  for (const table of image.l2Offsets.values()) {
    for (let at = table; at < table + clusterSize; at += 8) {
      const entry = bytes.readBigUInt64BE(at);
      const host = Number(entry & PLACE);
      if (host === 0 || (entry & (COMPRESSED | 1n)) !== 0n) continue;
      const clear = bytes.subarray(host, host + clusterSize);
      encryptSectors(format, masterKey, clear, host / 512).copy(bytes, host);
    }
  }
  return { bytes: new Uint8Array(bytes), luksAt, pointerAt: extensionsOffset + 8 };
}
