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

/** Those that clusters can be packed by, not only unpacked. */
export type WritablePacking = 'zlib' | 'zstd' | 'zlib-stream';
