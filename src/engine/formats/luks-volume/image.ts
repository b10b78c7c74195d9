/** A LUKS volume as a disk: the header with its key slots, behind it nothing but encrypted sectors. */
import { alignUp, SECTOR } from '../../binary/units.ts';
import type { Cipher } from '../../codecs/cipher.ts';
import type { Description } from '../../operations/image-info.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { askPassphrase, counting } from '../content-cipher.ts';
import { ExtentList } from '../extents.ts';
import { imageFault } from '../fault.ts';
import { fieldValues } from '../field-values.ts';
import type { Disk, DriverRequest, Extent } from '../format.ts';
import { luksSeconds, unlockLuks, type LuksReader } from '../luks.ts';
import {
  LUKS_HEADER_BYTES,
  parseLuksHeader,
  type LuksHeader,
  type LuksInfo,
} from '../luks-header.ts';
import { HEADER } from '../luks-layout.ts';
import { luksValues } from '../luks-values.ts';

export class LuksVolume implements Disk {
  readonly format = 'luks';
  readonly storage: Storage;
  readonly clusterSize = 0;
  readonly codec = undefined;
  readonly backing = undefined;
  readonly backingMissing = false;
  readonly header: LuksHeader;
  readonly encryption = 'luks';
  cipher: Cipher | undefined;
  readonly #bytes: Uint8Array;

  /** @param bytes of the header */
  constructor(storage: Storage, header: LuksHeader, bytes: Uint8Array) {
    this.storage = storage;
    this.header = header;
    this.#bytes = bytes;
  }

  /** Bytes. What is behind the end of the file within its last sector counts as zeros there. */
  get size(): number {
    return Math.max(0, alignUp(this.storage.size, SECTOR) - this.payloadOffset);
  }

  get luksInfo(): LuksInfo {
    return this.header.info;
  }

  get unlockSeconds(): number {
    return luksSeconds(this.header);
  }

  /** Where the content begins, bytes. */
  get payloadOffset(): number {
    return this.header.info.payloadOffset;
  }

  get contentMissing(): 'locked' | undefined {
    return this.cipher === undefined ? 'locked' : undefined;
  }

  map(offset: number, length: number): Promise<Extent[]> {
    const list = new ExtentList(this.storage);
    const end = Math.min(offset + length, this.size);
    if (end > offset) list.add('data', offset, end - offset, this.payloadOffset + offset);
    return Promise.resolve(list.extents);
  }

  describe(): Description {
    const { info } = this.header;
    return {
      ...{ clusterSize: undefined, encrypted: true, dirty: false },
      specific: { type: 'luks', data: luksValues(info) },
      facts: [{ key: 'uuid', value: info.uuid }],
      fields: fieldValues(HEADER, HEADER.read(this.#bytes)),
    };
  }

  close(): Promise<void> {
    return this.storage.close();
  }
}

/**
 * Opens a LUKS volume, and in mode `read` unlocks it.
 * @throws ImageError invalid-header, invalid-image, wrong-passphrase and those of reading
 */
export async function openLuksVolume(
  storage: Storage,
  { mode, unlock }: DriverRequest,
): Promise<LuksVolume> {
  const bytes = await readPadded(storage, 0, LUKS_HEADER_BYTES);
  const header = parseLuksHeader(bytes);
  const volume = new LuksVolume(storage, header, bytes);
  if (mode === 'read' && unlock !== undefined) {
    const request = { name: storage.name, method: 'luks', seconds: luksSeconds(header) } as const;
    volume.cipher = await askPassphrase(unlock, request, async (passphrase) => {
      const cipher = await unlockLuks(header, luksReader(storage), passphrase);
      return cipher === undefined ? undefined : counting('guest', cipher);
    });
  }
  if (alignUp(storage.size, SECTOR) < volume.payloadOffset) {
    const value = volume.payloadOffset;
    const message = 'Could not refresh total sector count: Input/output error';
    imageFault('luks', 'truncated', { field: 'payload offset', value, message });
  }
  return volume;
}

/** Reads from the start of the file. */
export function luksReader(storage: Storage): LuksReader {
  return (offset, length) => readPadded(storage, offset, length);
}
