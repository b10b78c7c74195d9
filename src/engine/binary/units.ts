/**
 * Units and arithmetic on offsets. Offsets are plain `number`s, exact up to 2^53-1; larger ones
 * come only out of damaged tables. They stay what they are (aligned ones are even exact up to 2^61)
 * and are recognised by lying behind the end of the file, so nothing here may wrap at 32 bits.
 */
declare const unit: unique symbol;
type Unit<Name extends string> = number & { readonly [unit]?: Name };

/** Bytes from the start of a file. */
export type HostOffset = Unit<'host'>;
/** Bytes from the start of the guest's disk. */
export type GuestOffset = Unit<'guest'>;

export const KIB = 1024;
export const MIB = 1024 * 1024;
/** QEMU's unit of guest size and of compressed lengths, bytes. */
export const SECTOR = 512;
export const TWO_32 = 4294967296;

/** 2^bits, for any bits from 0 to 1023 (no shift: that would wrap at 32). */
export function powerOfTwo(bits: number): number {
  return 2 ** bits;
}

export function divideRoundUp(value: number, unitSize: number): number {
  return Math.ceil(value / unitSize);
}

export function alignUp(value: number, unitSize: number): number {
  return Math.ceil(value / unitSize) * unitSize;
}

export function alignDown(value: number, unitSize: number): number {
  return Math.floor(value / unitSize) * unitSize;
}

export function isAligned(value: number, unitSize: number): boolean {
  return value % unitSize === 0;
}

/** A 64-bit word in two halves as hex text without 0x and without leading zeros. */
export function hex64(high: number, low: number): string {
  if (high >>> 0 === 0) return (low >>> 0).toString(16);
  return (high >>> 0).toString(16) + (low >>> 0).toString(16).padStart(8, '0');
}
