/** Swap space of Linux: `union swap_header` of its headers. In the byte order of its machine. */
import { bytesOf, type Recognised, says, textAt, unnamed, uuidAt } from '../file-system.ts';

const PAGES = [4096, 8192, 16384, 32768, 65536] as const;
const SIGNATURE_BYTES = 10;
const VERSION_AT = 1024;
const LAST_PAGE_AT = 1028;
const UUID_AT = 1036;
const LABEL_AT = 1052;
const LABEL_BYTES = 16;

/** A machine that sleeps has its memory there; these take the place of the signature meanwhile. */
const SLEEPING = ['S1SUSPEND', 'S2SUSPEND', 'ULSUSPEND', 'LINHIB0001'];

export function readSwap(first: Uint8Array): Recognised | undefined {
  for (const page of PAGES) {
    const at = page - SIGNATURE_BYTES;
    if (page > first.length) break;
    const isSleeping = SLEEPING.some((signature) => says(first, at, signature));
    if (says(first, at, 'SWAPSPACE2') || isSleeping) return describe(first, page, isSleeping);
    // Before 1998: nothing but a bitmap of pages.
    if (says(first, at, 'SWAP-SPACE')) return { found: { ...unnamed('swap'), blockSize: page } };
  }
  return undefined;
}

function describe(first: Uint8Array, page: number, isDirty: boolean): Recognised {
  const view = new DataView(first.buffer, first.byteOffset, first.byteLength);
  const found = { ...unnamed('swap'), blockSize: page, isDirty };
  const isLittle = view.getUint32(VERSION_AT, true) === 1;
  if (!isLittle && view.getUint32(VERSION_AT) !== 1) return { found };
  return {
    found: {
      ...found,
      label: textAt(first, LABEL_AT, LABEL_BYTES),
      uuid: uuidAt(first, UUID_AT),
      size: bytesOf(view.getUint32(LAST_PAGE_AT, isLittle) + 1, page),
    },
  };
}
