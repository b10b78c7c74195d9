/**
 * How a cluster (grain, block, chunk) can be packed, over all formats.
 * - `zlib`: raw deflate (RFC 1951), which is what qcow2 and qcow call zlib
 * - `zlib-stream`: deflate with zlib's header and checksum (RFC 1950)
 * - `zlib-grain`: a VMDK grain marker (sector number and length), then as `zlib-stream`
 * - `lzma`: an xz stream, as DMG has it
 * - `adc`: Apple Data Compression
 */
export type Packing =
  'zlib' | 'zstd' | 'zlib-stream' | 'zlib-grain' | 'bzip2' | 'lzfse' | 'lzma' | 'adc';

/** How clusters can be packed. `zlib-fast` is read as `zlib`, and faster to make. */
export type WritablePacking = 'zlib' | 'zlib-fast' | 'zstd' | 'zlib-stream';

/**
 * What zlib's clusters are to be like: byte for byte those of qemu-img, or whatever every reader
 * takes and is fast to make.
 */
export type PackingStyle = 'identical' | 'fast';

/** What packs in a style. Only zlib's clusters have several. */
export function packingIn(
  style: PackingStyle | undefined,
  codec: WritablePacking,
): WritablePacking {
  return style === 'fast' && codec === 'zlib' ? 'zlib-fast' : codec;
}
