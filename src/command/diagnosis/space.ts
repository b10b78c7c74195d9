/** What is said of findings: space. English; the app has the other languages. */
import type { SpaceValues } from '../../engine/index.ts';
import type { Texts } from './texts.ts';

const COMPACT = 'Compacting writes the image anew without it; snapshots and bitmaps are kept.';
const CONVERT_DROPS =
  ' A conversion keeps the disk as it is now, not its snapshots: export those that you need first.';

function dropped(snapshots: number): string {
  return snapshots === 0 ? '' : CONVERT_DROPS;
}

export const SPACE_TEXTS: Texts<SpaceValues> = {
  'snapshot-holds': {
    title: ({ name, exclusive, fileSize }, { size }) =>
      `${size(exclusive)} of this ${size(fileSize)} file belong only to snapshot ${name}`,
    why: ({ vmState, taken }, { size, moment }) =>
      [
        taken > 0 ? `It was taken on ${moment(taken)}.` : '',
        'The disk as it is now and the other snapshots do not use this space.',
        vmState > 0 ? `${size(vmState)} of it are the memory of the machine.` : '',
      ]
        .filter((sentence) => sentence !== '')
        .join(' '),
    advice: () =>
      'If you will not go back to it, delete it. The space becomes free inside the file for new content; the file itself stays as long until it is compacted.',
  },
  'snapshots-hold': {
    title: ({ bytes }, { size }) => `${size(bytes)} are kept by snapshots alone`,
    why: ({ bytes, alone, snapshots }, { size, count }) =>
      `The ${count(snapshots)} snapshots share much of it with each other: deleting any one of them frees only what is its own, ${size(alone)} in all. The other ${size(bytes - alone)} become free when the last snapshot that uses them is gone.`,
    advice: () =>
      'Delete the snapshots that you do not need, the oldest of a row first. Or compact the image without snapshots.',
  },
  'shared-with-snapshots': {
    title: ({ bytes }, { size }) => `${size(bytes)} are shared by the disk and its snapshots`,
    why: ({ bytes, snapshots }, { size, count }) =>
      `This content is stored once for the disk and for ${snapshots === 1 ? 'a snapshot' : `some of ${count(snapshots)} snapshots`}. What the machine changes of it is stored a second time, so the file can still grow by up to ${size(bytes)}.`,
    advice: () => 'Leave room for it on the medium, or delete snapshots that are not needed.',
  },
  'vm-state-kept': {
    title: ({ bytes }, { size }) => `${size(bytes)} are memory of machines`,
    why: ({ snapshots }, { count }) =>
      `${snapshots === 1 ? 'A snapshot was' : `${count(snapshots)} snapshots were`} taken while the machine ran, and its memory was kept along with the disk. Only going back to that very moment needs it.`,
    advice: () =>
      'If you do not need to go back into the running machine, delete the snapshot, or take new ones with the machine switched off.',
  },
  'zeros-held': {
    title: ({ bytes }, { size }) => `${size(bytes)} are held by clusters that read as zeros`,
    why: () =>
      'The guest gave this content up or wrote zeros, and the clusters kept their place in the file. What was in them before may still be there.',
    advice: () => COMPACT,
  },
  'zeros-stored': {
    title: ({ bytes }, { size }) => `${size(bytes)} of the stored content are nothing but zeros`,
    why: ({ preallocated }) =>
      preallocated
        ? 'The space of this disk was set aside in advance, and so much of it was never written.'
        : 'Zeros need not be stored: a cluster without content reads the same.',
    advice: ({ preallocated, snapshots }) =>
      preallocated
        ? 'Nothing has to be done. A conversion would give the space back, and with it the preallocation.'
        : `Converting the image to the same format leaves them out.${dropped(snapshots)}`,
  },
  'equal-to-backing': {
    title: ({ bytes }, { size }) => `${size(bytes)} are the same as in the backing image`,
    why: ({ backing }) =>
      `This image stores content again that ${backing} has in the same place. That is what a rebase leaves behind, or a guest that wrote its files anew.`,
    advice: () =>
      'Nothing is wrong. If no other image uses the backing image, commit puts both together; copying everything into this image makes the backing image unnecessary.',
  },
  'free-inside': {
    title: ({ bytes }, { size }) => `${size(bytes)} inside the file are free`,
    why: ({ pieces }, { count }) =>
      `New content of the guest goes there first${pieces > 1 ? ` (${count(pieces)} pieces)` : ''}, but the file does not become shorter by itself. A copy carries these bytes along unless it keeps holes.`,
    advice: () => COMPACT,
  },
  'unused-tail': {
    title: ({ bytes }, { size }) => `${size(bytes)} lie behind the last used cluster`,
    why: () => 'Nothing uses the end of the file. It is harmless, and is copied along.',
    advice: () => COMPACT,
  },
  'large-tables': {
    title: ({ bytes, share }, { size, percent }) =>
      `Tables take ${size(bytes)}, ${percent(share)} of the file`,
    why: ({ l2, refcounts, snapshots, bitmaps, clusterSize }, { size }) =>
      `Of these, ${size(l2)} say where content is, ${size(refcounts)} count who uses it, ${size(snapshots)} belong to the list of snapshots and ${size(bitmaps)} to bitmaps. Clusters of ${size(clusterSize)}, many snapshots, or content that is scattered over the disk make them large.`,
    advice: () =>
      'Larger clusters need smaller tables. Convert the image with them, or delete snapshots and bitmaps that are not needed.',
  },
  'compaction-gains': {
    title: ({ now, then }, { size }) =>
      `Compacting would make the file ${size(then)} instead of ${size(now)}`,
    why: ({ gain, saved, allocated }, { size }) =>
      [
        'A file like this grows when the guest writes, and never becomes shorter by itself: not when the guest deletes files, and not when snapshots are deleted.',
        saved < gain && allocated > 0
          ? `On this medium the file takes ${size(allocated)}, as its holes take no room, so ${size(saved)} become free there. A copy that does not keep holes is shorter by ${size(gain)}.`
          : `${size(gain)} of it hold nothing that is needed.`,
      ].join(' '),
    advice: ({ snapshots }) =>
      `Compacting writes a new file, checks it, and leaves this one as it is${snapshots > 0 ? '; the snapshots are kept' : ''}. It needs room for both. The size is computed from the tables, not guessed.`,
  },
  'smaller-without-snapshots': {
    title: ({ gain }, { size }) => `Without snapshots the file would be ${size(gain)} smaller`,
    why: ({ then, without, snapshots }, { size, count }) =>
      `Compacted with ${snapshots === 1 ? 'its snapshot' : `its ${count(snapshots)} snapshots`} it takes ${size(then)}, without ${size(without)}.`,
    advice: () =>
      'To pass on the disk as it is now, compact a copy without snapshots. What the snapshots keep is then not in the copy.',
  },
  compressible: {
    title: ({ plain, packed }, { size }) =>
      `Compressing would pack ${size(plain)} of content to about ${size(packed)}`,
    why: ({ sampled, gain }, { size }) =>
      `This is an estimate from a sample of ${size(sampled)}: about ${size(gain)} less to keep or to send.`,
    advice: ({ snapshots }) =>
      `Good for an image that is kept or passed on. For the disk of a running machine it is not: what is written again is stored unpacked.${dropped(snapshots)}`,
  },
  'guest-free-stored': {
    title: ({ free, kinds }, { size }) =>
      `At least ${size(free)} are free in the guest (${kinds.join(', ')}) but still stored`,
    why: ({ used, stored }, { size }) =>
      `The guest uses at most ${size(used)}, and the image stores ${size(stored)}. When files are deleted, the image is not told, unless the guest trims its file systems.`,
    advice: () =>
      'Run the machine with the option below, and trim in the guest, or fill its free space with zeros: with the option, both give their room up. Then compact the image.',
  },
  'sparse-file': {
    title: ({ fileSize, allocated }, { size }) =>
      `The file is ${size(fileSize)} long and takes ${size(allocated)} on its medium`,
    why: ({ holes }, { size }) =>
      `${size(holes)} of it are holes. Uploads, archives, and media formatted with FAT or exFAT do not keep holes: there the file takes its full length.`,
    advice: () =>
      'Before you move it to such a place, see whether compacting or converting makes it shorter.',
  },
  'larger-than-disk': {
    title: ({ fileSize, virtualSize }, { size }) =>
      `The file (${size(fileSize)}) is larger than the disk in it (${size(virtualSize)})`,
    why: ({ over, snapshots, gaps }, { size }) =>
      gaps < over / 2
        ? `Snapshots keep ${size(snapshots)} besides the disk as it is now.`
        : `${size(gaps)} of it are gaps that nothing uses. When a guest trims much, gaps become too small for new content, and the file grows although there is room in it.`,
    advice: ({ over, gaps }) =>
      gaps < over / 2
        ? 'Delete snapshots that are not needed, then compact.'
        : 'Compact the image. With the option below (QEMU 8.1 and later) trimmed clusters keep their place, and gaps do not come again.',
  },
};
