/** Headers of tar archives as they are written: POSIX ustar, and GNU's older form for sparse files. */
const BLOCK = 512;
/** Octal digits of a size end here (8 GiB); larger ones are written in base 256. */
const OCTAL_MOST = 8 * 1024 ** 3;
/** Runs that fit into the header of a sparse file, and into each block behind it. */
const RUNS_IN_HEADER = 4;
const RUNS_IN_BLOCK = 21;

/** A run of bytes of a sparse file. */
export interface SparseRun {
  readonly offset: number;
  readonly length: number;
}

/** What a member of an archive is. */
export interface TarMember {
  /** At most 100 bytes of ASCII. */
  readonly name: string;
  /** Bytes that follow the header, without the filling of the last block. */
  readonly size: number;
  /** Seconds since 1970. */
  readonly time: number;
}

/** Bytes that fill the last block of a member. */
export function tarPadding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

/** The end of an archive: two empty blocks. */
export function tarEnd(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(2 * BLOCK);
}

/** The header of a plain file. POSIX.1-1988, «ustar». */
export function tarHeader(member: TarMember): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(BLOCK);
  writeCommon(header, member, '0');
  writeText(header, 257, 'ustar\0' + '00');
  writeChecksum(header);
  return header;
}

/**
 * The header of a file with holes, in the form that GNU tar calls `oldgnu`: what Google Cloud asks
 * for. Of the content only the runs follow, one behind the other.
 * @param member `size` is the sum of the runs
 * @param realSize bytes of the file with its holes
 */
export function sparseTarHeader(
  member: TarMember,
  runs: readonly SparseRun[],
  realSize: number,
): Uint8Array<ArrayBuffer> {
  // A last run of no length says where the file ends.
  const all = [...runs, { offset: realSize, length: 0 }];
  const more = Math.ceil(Math.max(0, all.length - RUNS_IN_HEADER) / RUNS_IN_BLOCK);
  const bytes = new Uint8Array(BLOCK * (1 + more));
  writeCommon(bytes, member, 'S');
  writeText(bytes, 257, 'ustar  \0');
  for (const [index, run] of all.slice(0, RUNS_IN_HEADER).entries()) {
    writeRun(bytes, 386 + 24 * index, run);
  }
  bytes[482] = more > 0 ? 1 : 0;
  writeNumber(bytes, 483, 12, realSize);
  for (let block = 0; block < more; block++) {
    const first = RUNS_IN_HEADER + block * RUNS_IN_BLOCK;
    const at = BLOCK * (1 + block);
    for (const [index, run] of all.slice(first, first + RUNS_IN_BLOCK).entries()) {
      writeRun(bytes, at + 24 * index, run);
    }
    bytes[at + 504] = block < more - 1 ? 1 : 0;
  }
  writeChecksum(bytes.subarray(0, BLOCK));
  return bytes;
}

function writeRun(bytes: Uint8Array, at: number, { offset, length }: SparseRun): void {
  writeNumber(bytes, at, 12, offset);
  writeNumber(bytes, at + 12, 12, length);
}

function writeCommon(bytes: Uint8Array, { name, size, time }: TarMember, type: string): void {
  writeText(bytes, 0, name);
  writeNumber(bytes, 100, 8, 0o644);
  writeNumber(bytes, 108, 8, 0);
  writeNumber(bytes, 116, 8, 0);
  writeNumber(bytes, 124, 12, size);
  writeNumber(bytes, 136, 12, time);
  writeText(bytes, 156, type);
}

function writeText(bytes: Uint8Array, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
}

/** Octal digits and a zero byte; what is too large for these goes in base 256, as GNU has it. */
function writeNumber(bytes: Uint8Array, at: number, width: number, value: number): void {
  if (width < 12 || value < OCTAL_MOST) {
    writeText(bytes, at, value.toString(8).padStart(width - 1, '0'));
    return;
  }
  bytes[at] = 0x80;
  let rest = value;
  for (let i = width - 1; i > 0; i--) {
    bytes[at + i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}

/** The sum of all bytes, with spaces in its own place. */
function writeChecksum(header: Uint8Array): void {
  header.fill(0x20, 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  writeText(header, 148, `${sum.toString(8).padStart(6, '0')}\0 `);
}
