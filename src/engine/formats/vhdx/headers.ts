/** The two headers, of which the newer one counts. [MS-VHDX] section 2.2.2. */
import { guidText } from '../../binary/guid.ts';
import type { Values } from '../../binary/struct.ts';
import { isImageError } from '../../errors.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { fault } from './faults.ts';
import {
  HEADER,
  HEADER_AT,
  HEADER_BYTES,
  HEADER_FIELDS_END,
  HEADERS_AT,
  isSealed,
  SIGNATURES,
} from './layout.ts';

/** One of them. */
export interface Header {
  /** Where it is in the file, bytes. */
  readonly at: number;
  readonly fields: Values<typeof HEADER>;
  /** Changes with what the guest sees: children know their parent by it. */
  readonly dataWriteGuid: string;
  /** Of the log entries that count; zeros where there are none. */
  readonly logGuid: string;
  /** All of it. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface Headers {
  readonly current: Header;
  /** Where the other one is, and whether it can be used. */
  readonly otherAt: number;
  readonly isOtherSound: boolean;
}

/** @throws ImageError invalid-image where neither makes sense, and those of reading */
export async function readHeaders(storage: Storage): Promise<Headers> {
  const [first, second] = [
    await readHeader(storage, HEADERS_AT[0]),
    await readHeader(storage, HEADERS_AT[1]),
  ];
  const current = newer(first, second);
  if (current === undefined) {
    fault('checksum', 'header', '', 'No valid VHDX header found');
  }
  const isFirst = current === first;
  return {
    current,
    otherAt: isFirst ? HEADERS_AT[1] : HEADERS_AT[0],
    isOtherSound: (isFirst ? second : first) !== undefined,
  };
}

/** @returns undefined for one that is damaged */
async function readHeader(storage: Storage, at: number): Promise<Header | undefined> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = await readPadded(storage, at, HEADER_BYTES);
  } catch (error) {
    if (!isImageError(error, 'read-failed')) throw error;
    return undefined;
  }
  const fields = HEADER.read(bytes);
  const isKnown = fields.signature === SIGNATURES.header && fields.version === 1;
  if (!isKnown || !isSealed(bytes)) return undefined;
  return {
    ...{ at, fields, bytes },
    dataWriteGuid: guidText(bytes, HEADER_AT.dataWriteGuid),
    logGuid: guidText(bytes, HEADER_AT.logGuid),
  };
}

/** Equally new ones have to be the same. */
function newer(first: Header | undefined, second: Header | undefined): Header | undefined {
  if (first === undefined || second === undefined) return first ?? second;
  const [a, b] = [first.fields.sequenceNumber, second.fields.sequenceNumber];
  if (a !== b) return a > b ? first : second;
  for (let i = 0; i < HEADER_FIELDS_END; i++)
    if (first.bytes[i] !== second.bytes[i]) return undefined;
  return first;
}
