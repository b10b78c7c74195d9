/**
 * Makes VDIs for tests after the published structure, without a line of the engine: differencing
 * images and unusual headers, which QEMU does not make.
 */

export interface VdiSpec {
  /** Virtual size, bytes. */
  size: number;
  blockSize?: number;
  /** In front of the content of each block, bytes. */
  blockExtra?: number;
  /** 1: dynamic, 2: static, 4: differencing. */
  type?: number;
  /** By index of the block; in the file, blocks go in this order. */
  blocks?: ReadonlyMap<number, Uint8Array>;
  /** Blocks that read as zeros whatever the parent has. */
  zeros?: readonly number[];
  /** 16 bytes each, as in the file. */
  uuid?: Uint8Array;
  modification?: Uint8Array;
  parent?: Uint8Array;
  parentModification?: Uint8Array;
  /** Where the block map begins; the data begin behind it, at a multiple of `alignment`. */
  mapOffset?: number;
  alignment?: number;
}

/** An identifier whose text is `4030201-...` and so on: each byte another. */
export function vdiUuid(first: number): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, index) => first + index);
}

/** The text of {@link vdiUuid}: the first three groups are little-endian. */
export function vdiUuidText(first: number): string {
  const order = [3, 2, 1, 0, -1, 5, 4, -1, 7, 6, -1, 8, 9, -1, 10, 11, 12, 13, 14, 15];
  return order
    .map((index) => (index < 0 ? '-' : (first + index).toString(16).padStart(2, '0')))
    .join('');
}

export function buildVdi(spec: VdiSpec): Uint8Array<ArrayBuffer> {
  const { size, blockSize = 2 ** 20, blockExtra = 0, mapOffset = 512, alignment = 512 } = spec;
  const blocks = spec.blocks ?? new Map<number, Uint8Array>();
  const count = Math.ceil(size / blockSize);
  const dataOffset = Math.ceil((mapOffset + count * 4) / alignment) * alignment;
  const bytes = new Uint8Array(dataOffset + blocks.size * (blockSize + blockExtra));
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode('<<< Oracle VM VirtualBox Disk Image >>>\n'));
  const numbers: readonly [number, number][] = [
    [64, 0xbeda107f],
    [68, 0x00010001],
    [72, 0x190],
    [76, spec.type ?? (spec.parent === undefined ? 1 : 4)],
    [340, mapOffset],
    [344, dataOffset],
    [360, 512],
    [376, blockSize],
    [380, blockExtra],
    [384, count],
    [388, blocks.size],
  ];
  for (const [at, value] of numbers) view.setUint32(at, value, true);
  view.setBigUint64(368, BigInt(size), true);
  bytes.set(spec.uuid ?? vdiUuid(1), 392);
  bytes.set(spec.modification ?? vdiUuid(0x41), 408);
  if (spec.parent !== undefined) bytes.set(spec.parent, 424);
  if (spec.parentModification !== undefined) bytes.set(spec.parentModification, 440);
  for (let index = 0; index < count; index++) view.setUint32(mapOffset + index * 4, 0xffffffff, true);
  for (const index of spec.zeros ?? []) view.setUint32(mapOffset + index * 4, 0xfffffffe, true);
  let next = 0;
  for (const [index, content] of blocks) {
    view.setUint32(mapOffset + index * 4, next, true);
    bytes.set(content, dataOffset + next * (blockSize + blockExtra) + blockExtra);
    next++;
  }
  return bytes;
}
