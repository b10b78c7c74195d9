/** The headers of LZFSE blocks: with all their frequencies, or with these packed, too. */
import { StreamFault } from '../stream-decoder.ts';
import { D_VALUES, L_VALUES, LITERALS, M_VALUES } from './tables.ts';

const KINDS = [L_VALUES, M_VALUES, D_VALUES, LITERALS] as const;
const MOST_LITERALS = 40_000;
const MOST_MATCHES = 10_000;
const V1_BYTES = 772;
const V2_BYTES = 32;

export interface BlockHeader {
  /** Bytes of this header. */
  readonly length: number;
  readonly rawBytes: number;
  readonly literals: number;
  readonly matches: number;
  readonly literalBytes: number;
  readonly matchBytes: number;
  /** Bits at the ends of both streams that are none of them. */
  readonly literalSpare: number;
  readonly matchSpare: number;
  readonly literalStates: readonly number[];
  /** For the number of literals, length and distance of matches. */
  readonly states: readonly [number, number, number];
  /** In the order of {@link states}, then of the literals. */
  readonly frequencies: readonly (readonly number[])[];
}

/** @throws StreamFault corrupt, short */
export function parseV1(packed: Uint8Array): BlockHeader {
  if (packed.length < V1_BYTES) throw new StreamFault('short', 'header');
  const view = new DataView(packed.buffer, packed.byteOffset);
  const word = (at: number) => view.getUint32(at, true);
  const half = (at: number) => view.getUint16(at, true);
  let at = 50;
  const frequencies = KINDS.map(({ bits }) =>
    bits.map(() => {
      at += 2;
      return half(at - 2);
    }),
  );
  return validated({
    length: V1_BYTES,
    rawBytes: word(4),
    literals: word(12),
    matches: word(16),
    literalBytes: word(20),
    matchBytes: word(24),
    literalSpare: -view.getInt32(28, true),
    literalStates: [half(32), half(34), half(36), half(38)],
    matchSpare: -view.getInt32(40, true),
    states: [half(44), half(46), half(48)],
    frequencies,
  });
}

/** @throws StreamFault corrupt, short */
export function parseV2(packed: Uint8Array): BlockHeader {
  if (packed.length < V2_BYTES) throw new StreamFault('short', 'header');
  const view = new DataView(packed.buffer, packed.byteOffset);
  const field = (at: number, bit: number, bits: number) =>
    Number((view.getBigUint64(at, true) >> BigInt(bit)) & ((1n << BigInt(bits)) - 1n));
  const length = field(24, 0, 32);
  if (length < V2_BYTES || length > packed.length) throw new StreamFault('short', 'header');
  return validated({
    length,
    rawBytes: view.getUint32(4, true),
    literals: field(8, 0, 20),
    literalBytes: field(8, 20, 20),
    matches: field(8, 40, 20),
    literalSpare: 7 - field(8, 60, 3),
    literalStates: [0, 10, 20, 30].map((bit) => field(16, bit, 10)),
    matchBytes: field(16, 40, 20),
    matchSpare: 7 - field(16, 60, 3),
    states: [field(24, 32, 10), field(24, 42, 10), field(24, 52, 10)],
    frequencies: unpackFrequencies(packed.subarray(V2_BYTES, length)),
  });
}

function validated(header: BlockHeader): BlockHeader {
  const { literals, matches, literalSpare, matchSpare, literalStates, states } = header;
  const isSound =
    literals <= MOST_LITERALS &&
    literals % 4 === 0 &&
    matches <= MOST_MATCHES &&
    [literalSpare, matchSpare].every((bits) => bits >= 0 && bits <= 7) &&
    literalStates.every((state) => state < LITERALS.states) &&
    states.every((state, index) => state < (KINDS[index]?.states ?? 0));
  if (!isSound) throw new StreamFault('corrupt', 'header');
  return header;
}

/** The lowest bits of a code say how long it is: 2, 3, 5, 8 or 14 bits. */
function unpackFrequencies(packed: Uint8Array): number[][] {
  let bits = 0;
  let count = 0;
  let at = 0;
  const take = (width: number): void => {
    if (count < width) throw new StreamFault('corrupt', 'frequencies');
    bits >>>= width;
    count -= width;
  };
  const next = (): number => {
    while (count <= 16 && at < packed.length) {
      bits |= (packed[at++] as number) << count;
      count += 8;
    }
    const { value, width } = frequencyOf(bits);
    take(width);
    return value;
  };
  const frequencies = KINDS.map(({ bits: symbols }) => symbols.map(next));
  if (count >= 8 || at !== packed.length) throw new StreamFault('corrupt', 'frequencies');
  return frequencies;
}

function frequencyOf(bits: number): { value: number; width: number } {
  if ((bits & 1) === 0) return { value: (bits >>> 1) & 1, width: 2 };
  if ((bits & 2) === 0) return { value: 2 + ((bits >>> 2) & 1), width: 3 };
  if ((bits & 4) === 0) return { value: 4 + ((bits >>> 3) & 3), width: 5 };
  if ((bits & 8) === 0) return { value: 8 + ((bits >>> 4) & 15), width: 8 };
  return { value: 24 + ((bits >>> 4) & 1023), width: 14 };
}
