/**
 * What an image keeps in its own header of what its backing file was like: an extension that is ours
 * alone ({@link FINGERPRINT_TYPE}).
 */
import type { Header } from './header.ts';
import { FINGERPRINT_EXTENSION, FINGERPRINT_TYPE } from './layout.ts';

/** What is remembered of a base. Plain data. */
export interface BaseFingerprint {
  /** Milliseconds since 1970. */
  taken: number;
  /** Bytes. */
  fileSize: number;
  virtualSize: number;
  /** SHA-256 of what its header and tables say of the guest's content, hex. */
  metadata: string;
  /**
   * SHA-256 over samples of its content, hex: at places that depend on its size alone, and where
   * its partitions begin. '' where the content could not be read.
   */
  samples: string;
}

/** As it stands in a header. */
export interface KeptFingerprint extends BaseFingerprint {
  /** What the image named its backing file when it was taken. */
  backingName: string;
}

const LAYOUT = 1;
const HAS_SAMPLES = 1;
const DIGEST = 32;
const METADATA_AT = FINGERPRINT_EXTENSION.size;
const SAMPLES_AT = METADATA_AT + DIGEST;
const NAME_AT = SAMPLES_AT + DIGEST;

/** Undefined where the header keeps none, or one of a layout that is not known here. */
export function keptFingerprint({ extensions }: Header): KeptFingerprint | undefined {
  const data = extensions.findLast(({ type }) => type === FINGERPRINT_TYPE)?.data;
  if (data === undefined || data.length < NAME_AT) return undefined;
  const { layout, flags, taken, fileSize, virtualSize } = FINGERPRINT_EXTENSION.read(data);
  if (layout !== LAYOUT) return undefined;
  const hasSamples = (flags & HAS_SAMPLES) !== 0;
  return {
    ...{ taken, fileSize, virtualSize },
    metadata: toHex(data.subarray(METADATA_AT, SAMPLES_AT)),
    samples: hasSamples ? toHex(data.subarray(SAMPLES_AT, NAME_AT)) : '',
    backingName: new TextDecoder().decode(data.subarray(NAME_AT)),
  };
}

/** The data of the extension. */
export function fingerprintData(kept: KeptFingerprint): Uint8Array<ArrayBuffer> {
  const name = new TextEncoder().encode(kept.backingName);
  const data = new Uint8Array(NAME_AT + name.length);
  const { taken, fileSize, virtualSize, samples } = kept;
  const flags = samples === '' ? 0 : HAS_SAMPLES;
  FINGERPRINT_EXTENSION.write(data, { layout: LAYOUT, flags, taken, fileSize, virtualSize });
  data.set(fromHex(kept.metadata), METADATA_AT);
  data.set(fromHex(samples), SAMPLES_AT);
  data.set(name, NAME_AT);
  return data;
}

/** Lower case, two digits a byte. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** At most the 32 bytes of a digest. */
function fromHex(text: string): Uint8Array {
  const bytes = new Uint8Array(Math.min(DIGEST, text.length / 2));
  for (let at = 0; at < bytes.length; at++) {
    bytes[at] = Number.parseInt(text.slice(at * 2, at * 2 + 2), 16);
  }
  return bytes;
}
