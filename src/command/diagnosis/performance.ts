/** What is said of findings: performance. English; the app has the other languages. */
import type { PerformanceValues } from '../../engine/index.ts';
import type { Format, Texts } from './texts.ts';

/** A time to wait, in a unit that people think in. */
function duration(seconds: number, { count }: Format): string {
  if (seconds < 1.5) return 'about a second';
  if (seconds < 120) return `about ${count(Math.round(seconds))} seconds`;
  return `about ${count(Math.round(seconds / 60))} minutes`;
}

export const PERFORMANCE_TEXTS: Texts<PerformanceValues> = {
  'small-clusters': {
    title: ({ clusterSize, virtualSize }, { size }) =>
      `Clusters of ${size(clusterSize)} are small for a disk of ${size(virtualSize)}`,
    why: ({ tables, tablesBetter, better }, { size }) =>
      `The tables that say where content is grow to ${size(tables)}; with clusters of ${size(better)} they take ${size(tablesBetter)}. QEMU keeps at most 32 MiB of them in memory, and reads the rest again and again.`,
    advice: ({ better, snapshots }, { size }) =>
      `Convert the image with clusters of ${size(better)}.${snapshots === 0 ? '' : ' A conversion keeps the disk as it is now, not its snapshots.'}`,
  },
  'l2-cache-short': {
    title: ({ virtualSize, needed, covered, coveredElsewhere }, { size }) =>
      virtualSize > covered
        ? `QEMU's usual cache covers ${size(covered)} of this ${size(virtualSize)} disk; all of it needs ${size(needed)}`
        : `Outside of Linux, QEMU's usual cache covers ${size(coveredElsewhere)} of this ${size(virtualSize)} disk`,
    why: ({ stored, needed, clusterSize }, { size }) =>
      `Where the cache does not reach, each access first reads a table from the file: scattered reads can become several times slower. So far the disk has ${size(stored)} of tables with clusters of ${size(clusterSize)}; filled up it has ${size(needed)}. The usual cache is 32 MiB on Linux and 8 MiB elsewhere.`,
    advice: ({ needed }, { size }) =>
      `Give QEMU one of the options below, or libvirt (7.0 and later) the element in the disk: up to ${size(needed)} of memory while the machine runs. On Linux, what was not used for ten minutes is given back. An image with larger clusters needs less.`,
  },
  'chain-caches-short': {
    title: ({ short }, { count }) =>
      short === 1
        ? "QEMU's usual cache does not cover an image below this one"
        : `QEMU's usual caches do not cover ${count(short)} images below this one`,
    why: ({ layers, needed }, { size, count }) =>
      `Each of the ${count(layers)} images in the chain has tables and a cache of its own. To cover all of them takes ${size(needed)} of memory.`,
    advice: () =>
      'The option below names the cache of each image. Copying everything into one image needs one cache only.',
  },
  'whole-clusters-copied': {
    title: ({ clusterSize }, { size }) =>
      `The first write to a place copies a whole cluster of ${size(clusterSize)}`,
    why: ({ backing, shared, clusterSize, subclusterSize }, { size }) =>
      `${backing !== '' ? `What ${backing} holds` : `What snapshots share, ${size(shared)},`} is copied before it is changed: ${size(clusterSize)} for a block of 4 KiB. With extended L2 entries it is ${size(subclusterSize)}, and the file grows more slowly.`,
    advice: () =>
      'Convert with extended L2 entries (extended_l2=on), or make the next overlay with them. QEMU 5.2 and later reads such images, most other programs do not. Snapshots do not survive a conversion.',
  },
  'extended-l2-costs': {
    title: ({ tables }, { size }) => `Extended L2 entries make the tables ${size(tables)}`,
    why: ({ tablesStandard }, { size }) =>
      `Standard entries would take ${size(tablesStandard)}, and half the cache. Extended ones help where content is copied from a backing image or a snapshot; this image has neither.`,
    advice: () =>
      'Keep them if overlays or snapshots are to come. Otherwise a conversion with extended_l2=off makes the tables smaller, and more programs open the image.',
  },
  'refcount-cache-short': {
    title: ({ fileSize, covered }, { size }) =>
      `QEMU's cache of refcounts covers ${size(covered)} of this ${size(fileSize)} file`,
    why: ({ snapshots }, { count }) =>
      `With ${snapshots === 1 ? 'a snapshot' : `${count(snapshots)} snapshots`}, writes look up who else uses a cluster. Beyond the cache, refcounts are read from the file and written back each time; taking and deleting snapshots is slower, too.`,
    advice: ({ needed }, { size }) =>
      `The option below covers all of the file, for ${size(needed)} of memory.`,
  },
  'wide-refcounts': {
    title: ({ bits, bytes }, { size }) => `Refcounts of ${String(bits)} bits take ${size(bytes)}`,
    why: ({ bytesWith16 }, { size }) =>
      `With the usual 16 bits they take ${size(bytesWith16)}, enough for 65 535 uses of a cluster.`,
    advice: () => 'Amend the image to 16 bits; its content stays as it is.',
  },
  'lazy-refcounts': {
    title: () => 'Refcounts are written lazily',
    why: ({ tables }, { size }) =>
      `That saves writes when the cache is writethrough or directsync, and next to nothing with others. After a crash all tables (${size(tables)} by now) are read to count anew, before the machine starts.`,
    advice: () =>
      'Keep it for writethrough or directsync. Otherwise switch it off, and a crash costs no time.',
  },
  preallocated: {
    title: () => 'The tables of this disk were laid out in advance',
    why: ({ virtualSize, fileSize }, { size }) =>
      `Every cluster of the ${size(virtualSize)} disk has its place, in order. First writes are faster, and the file is ${size(fileSize)} long from the beginning, whatever the guest stores.`,
    advice: () =>
      'Copy it with a program that keeps holes. A conversion without preallocation makes it as short as its content.',
  },
  fragmented: {
    title: ({ share, meanRun }, { size, percent }) =>
      `The content is in pieces of ${size(meanRun)} on average (qemu-img: ${percent(share)} fragmented)`,
    why: ({ bytes, jumps, jumpsPerGib, backward, hardDiskSeconds, ssdSeconds }, format) =>
      `Reading the ${format.size(bytes)} in order makes ${format.count(jumps)} jumps in the file, ${format.count(jumpsPerGib)} per GiB, ${format.percent(backward)} of them back. On a hard disk they take ${duration(hardDiskSeconds, format)} on top of reading, on an SSD ${duration(ssdSeconds, format)}.`,
    advice: () =>
      'On a hard disk or a network share, compacting helps: it writes the content in the order of the disk, and keeps snapshots and bitmaps. On an SSD it is not worth the wear for this alone.',
  },
  'small-gaps': {
    title: ({ pieces, bytes }, { size, count }) =>
      `${size(bytes)} of free space are in ${count(pieces)} small pieces`,
    why: ({ upTo, free }, { size }) =>
      `Of ${size(free)} free inside the file, this part is in pieces of at most ${size(upTo)}. New content is torn apart to fit into them, or put at the end, so that the file grows although there is room in it.`,
    advice: () =>
      'Compacting removes the gaps. With the option below (QEMU 8.1 and later) trimmed clusters keep their place, and fewer gaps arise.',
  },
  'deep-chain': {
    title: ({ layers }, { count }) => `This disk is made up of ${count(layers)} images`,
    why: ({ below, serves }, { size, percent }) => {
      const idle = serves.filter(({ bytes }) => bytes === 0).length;
      const parts = serves.slice(0, 8).map(({ name, bytes }) => `${name} ${size(bytes)}`);
      return `What is in none of the upper images is looked for in each of them first, with a table and a cache for each. ${percent(below)} of the content is below the first image. Each serves: ${parts.join(', ')}${serves.length > 8 ? ' …' : ''}.${idle > 0 ? ' An image that serves nothing only costs time.' : ''}`;
    },
    advice: () =>
      'Copy everything into this image, or commit images into the ones below them that no other image uses.',
  },
  'compressed-content': {
    title: ({ share, content }, { size, percent }) =>
      `${percent(share)} of the content is compressed (${size(content)})`,
    why: ({ packed, growth }, { size }) =>
      `It takes ${size(packed)} in the file. A packed cluster is unpacked to be read, and what is written to it is stored unpacked: as the disk is used, the file grows by up to ${size(growth)}.`,
    advice: ({ plain }, { size }) =>
      `For keeping and passing on, this is right. A disk that a machine writes to${plain > 0 ? ` (${size(plain)} are unpacked by now)` : ''} is faster without compression: convert it, or work in an overlay.`,
  },
  'partition-misaligned': {
    title: ({ partitions, first }, { count }) =>
      partitions === 1
        ? `Partition ${String(first)} does not begin at a multiple of 4 KiB`
        : `${count(partitions)} partitions do not begin at a multiple of 4 KiB`,
    why: ({ start, first }, { count }) =>
      `Partition ${String(first)} begins at byte ${count(start)}. Each block of 4 KiB of its file system lies across two of the disk, so that a write reads and writes both: twice the work for small writes.`,
    advice: () =>
      'No tool moves a partition safely in place. When the system is set up anew, begin at 1 MiB, or copy the file system into a partition that does.',
  },
  'partition-off-clusters': {
    title: ({ partitions, first, clusterSize }, { size, count }) =>
      partitions === 1
        ? `Partition ${String(first)} does not begin at a multiple of the cluster size, ${size(clusterSize)}`
        : `${count(partitions)} partitions do not begin at a multiple of the cluster size, ${size(clusterSize)}`,
    why: ({ start, first, clusterSize }, { size, count }) =>
      `Partition ${String(first)} begins at byte ${count(start)}. A write of ${size(clusterSize)} touches two clusters instead of one; small writes are not affected.`,
    advice: () => 'Nothing has to be done. For the next disk, begin partitions at 1 MiB.',
  },
  'first-write-copies': {
    title: ({ shared }, { size }) => `The first write to each of ${size(shared)} copies a cluster`,
    why: ({ clusters, clusterSize, factor }, { size, count }) =>
      `Snapshots share ${count(clusters)} clusters of ${size(clusterSize)} with the disk. A first write of 4 KiB there moves up to ${count(Math.round(factor))} times as much, once for each cluster.`,
    advice: () =>
      'Writing becomes faster again by itself. Snapshots that are deleted cost nothing.',
  },
};
