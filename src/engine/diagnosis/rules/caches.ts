/**
 * QEMU's caches of tables: how much they need, and the lines that give it to them. Bytes.
 * The numbers are those of docs/qcow2-cache.txt; QEMU rounds tables up to whole clusters.
 */
import { KIB, MIB } from './worth.ts';

/** The most that QEMU takes for L2 tables unless told: on Linux, and on other systems. */
export const LINUX_CACHE = 32 * MIB;
export const OTHER_CACHE = 8 * MIB;
/** QEMU's cache of refcounts, unless told. Clusters. */
export const REFCOUNT_CACHE_CLUSTERS = 4;

/** Bytes of an L2 entry. */
export function entryBytes(extendedL2: boolean): number {
  return extendedL2 ? 16 : 8;
}

/** All L2 tables of a disk: what a cache needs to cover it. */
export function l2Bytes(virtualSize: number, clusterSize: number, entry: number): number {
  const entries = Math.ceil(virtualSize / clusterSize);
  return Math.ceil((entries * entry) / clusterSize) * clusterSize;
}

/** How much of a disk a cache covers. */
export function coveredBy(cache: number, clusterSize: number, entry: number): number {
  return (cache / entry) * clusterSize;
}

/** As QEMU takes sizes: `64M`, `192K`. Rounded up. */
export function sizeOption(bytes: number): string {
  return bytes >= MIB ? `${Math.ceil(bytes / MIB)}M` : `${Math.ceil(bytes / KIB)}K`;
}

/**
 * Lines that cover a disk, for QEMU's two ways to name a disk and for libvirt, which knows one size
 * for both caches and leaves the least to refcounts.
 */
export function l2CacheLines(needed: number, clusterSize: number): string[] {
  const both = needed + REFCOUNT_CACHE_CLUSTERS * clusterSize;
  return [
    `-drive file=FILE,format=qcow2,l2-cache-size=${sizeOption(needed)}`,
    `-blockdev driver=qcow2,node-name=disk0,file.driver=file,file.filename=FILE,l2-cache-size=${needed}`,
    "<driver name='qemu' type='qcow2'>",
    '  <metadata_cache>',
    `    <max_size unit='bytes'>${both}</max_size>`,
    '  </metadata_cache>',
    '</driver>',
  ];
}
