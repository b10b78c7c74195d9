/**
 * Header extensions: finding them and saying what they mean. Pure; specification: «Header
 * extensions».
 */
import { alignUp, isAligned } from '../../binary/units.ts';
import type { OpenMode } from '../format.ts';
import type { Header } from './header.ts';
import { hasBit, headerFault } from './header-fault.ts';
import {
  BITMAPS_EXTENSION,
  CRYPTO_EXTENSION,
  EXTENSION,
  EXTENSION_TYPE,
  LIMITS,
  type HeaderFields,
} from './layout.ts';

/** An extension as it stands in the file. */
export interface Extension {
  readonly type: number;
  /** Of its 8-byte head, bytes from the start of the file. */
  readonly offset: number;
  readonly data: Uint8Array;
}

export interface BitmapsExtension {
  readonly count: number;
  readonly directorySize: number;
  readonly directoryOffset: number;
}

const FEATURE_SETS = ['incompatible', 'compatible', 'autoclear'] as const;

/** Text out of an image: up to the first NUL, undecodable bytes replaced. */
export function text(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/**
 * The extensions from `start` on.
 * @throws ImageError invalid-header (extension-too-large)
 */
export function parseExtensions(bytes: Uint8Array, start: number, end: number): Extension[] {
  const found: Extension[] = [];
  collectExtensions(bytes, start, end, found);
  return found;
}

/** As {@link parseExtensions}, but takes what is readable: for naming what is not understood. */
export function lenientExtensions(bytes: Uint8Array, start: number, end: number): Extension[] {
  const found: Extension[] = [];
  try {
    collectExtensions(bytes, start, end, found);
  } catch {
    // What stands before the fault has been found.
  }
  return found;
}

function collectExtensions(
  bytes: Uint8Array,
  start: number,
  end: number,
  found: Extension[],
): void {
  let offset = start;
  while (offset < end) {
    const { type, length } = EXTENSION.read(bytes, offset);
    const data = offset + EXTENSION.size;
    if (data > end || length > end - data) {
      headerFault(
        'extension-too-large',
        'extension length',
        length,
        end - data,
        'Header extension too large',
      );
    }
    if (type === EXTENSION_TYPE.end) break;
    found.push({ type, offset, data: bytes.slice(data, data + length) });
    // Padded from where it begins, also behind a header of odd length, as QEMU has it.
    offset = data + alignUp(length, 8);
  }
}

/**
 * «Feature name table»: 48 bytes each, type, bit, 46 bytes of name; by `set/bit`, in the order of
 * the table. As QEMU has it, the last entry may be cut short and an empty name ends the table.
 */
export function featureNames(extensions: readonly Extension[]): Map<string, string> {
  const names = new Map<string, string>();
  const table = extensions.findLast(({ type }) => type === EXTENSION_TYPE.featureNames);
  if (table === undefined) return names;
  const { data } = table;
  for (let at = 0; at < data.length; at += 48) {
    const name = text(data.subarray(at + 2, at + 48));
    if (name === '') break;
    const set = FEATURE_SETS[data[at] ?? 255];
    const key = `${set ?? ''}/${String(data[at + 1] ?? 0)}`;
    if (set !== undefined && !names.has(key)) names.set(key, name);
  }
  return names;
}

type Interpreted = Pick<
  Header,
  'backingFormat' | 'dataFileName' | 'featureNames' | 'bitmaps' | 'bitmapsInconsistent' | 'luks'
>;

export function interpret(
  extensions: readonly Extension[],
  fields: HeaderFields,
  clusterSize: number,
  mode: OpenMode,
): Interpreted {
  let backingFormat = '';
  let dataFileName = '';
  let bitmaps: BitmapsExtension | undefined;
  let bitmapsInconsistent = false;
  let luks: Interpreted['luks'];
  for (const { type, data } of extensions) {
    if (type === EXTENSION_TYPE.backingFormat) {
      if (data.length > LIMITS.backingFormatBytes) {
        const message = `ERROR: ext_backing_format: len=${String(data.length)} too large (>=16)`;
        headerFault(
          'backing-format-too-long',
          'backing format',
          data.length,
          LIMITS.backingFormatBytes,
          message,
        );
      }
      backingFormat = text(data);
    } else if (type === EXTENSION_TYPE.dataFile) {
      dataFileName = text(data);
    } else if (type === EXTENSION_TYPE.bitmaps) {
      const usable = hasBit(fields.autoclearFeatures, 0);
      if (data.length !== BITMAPS_EXTENSION.size)
        bitmapsFault('length', data.length, 'Invalid extension length');
      if (usable) bitmaps = parseBitmapsExtension(data, clusterSize);
      else bitmapsInconsistent = true;
    } else if (type === EXTENSION_TYPE.crypto) {
      luks = parseCryptoExtension(data, fields, clusterSize);
    }
  }
  checkNeeded(fields, luks !== undefined, mode);
  return {
    backingFormat,
    dataFileName,
    featureNames: featureNames(extensions),
    bitmaps,
    bitmapsInconsistent,
    luks,
  };
}

function checkNeeded(fields: HeaderFields, luks: boolean, mode: OpenMode): void {
  if (mode === 'info') return;
  if (hasBit(fields.autoclearFeatures, 1) && !hasBit(fields.incompatibleFeatures, 2)) {
    headerFault(
      'data-file-raw',
      'autoclearFeatures',
      'bit 1',
      'bit 2',
      'data-file-raw requires a data file',
    );
  }
  if (fields.cryptMethod === 2 && !luks) {
    const message = 'Missing CRYPTO header for crypt method 2';
    headerFault('crypto-extension', 'crypto extension', 'absent', 'present', message);
  }
}

function bitmapsFault(field: string, value: number, message: string): never {
  return headerFault(
    'bitmaps-extension',
    `bitmaps extension: ${field}`,
    value,
    '',
    `bitmaps_ext: ${message}`,
  );
}

function parseBitmapsExtension(data: Uint8Array, clusterSize: number): BitmapsExtension {
  const { count, reserved, directorySize, directoryOffset } = BITMAPS_EXTENSION.read(data);
  if (reserved !== 0) bitmapsFault('reserved', reserved, 'Reserved field is not zero');
  if (count > LIMITS.bitmaps) {
    const message = `Image has ${String(count)} bitmaps, exceeding the QEMU supported maximum of 65535`;
    bitmapsFault('count', count, message);
  }
  if (count === 0) {
    const message = 'found bitmaps extension with zero bitmaps';
    headerFault('bitmaps-extension', 'bitmaps extension: count', 0, 'at least 1', message);
  }
  if (!isAligned(directoryOffset, clusterSize)) {
    bitmapsFault('directory offset', directoryOffset, 'invalid bitmap directory offset');
  }
  if (directorySize > LIMITS.bitmapDirectoryBytes) {
    const message =
      `bitmap directory size (${String(directorySize)}) exceeds the maximum supported size ` +
      `(${String(LIMITS.bitmapDirectoryBytes)})`;
    bitmapsFault('directory size', directorySize, message);
  }
  return { count, directorySize, directoryOffset };
}

function parseCryptoExtension(data: Uint8Array, fields: HeaderFields, clusterSize: number) {
  if (fields.cryptMethod !== 2) {
    const message = 'CRYPTO header extension only expected with LUKS encryption method';
    headerFault('crypto-extension', 'cryptMethod', fields.cryptMethod, 2, message);
  }
  if (data.length !== CRYPTO_EXTENSION.size) {
    const message =
      `CRYPTO header extension size ${String(data.length)}, but expected size ` +
      String(CRYPTO_EXTENSION.size);
    headerFault(
      'crypto-extension',
      'crypto extension length',
      data.length,
      CRYPTO_EXTENSION.size,
      message,
    );
  }
  const { offset, length } = CRYPTO_EXTENSION.read(data);
  if (!isAligned(offset, clusterSize)) {
    const message = `Encryption header offset '${String(offset)}' is not a multiple of cluster size '${String(clusterSize)}'`;
    headerFault('crypto-extension', 'crypto header offset', offset, clusterSize, message);
  }
  return { offset, length };
}
