import { count } from './en.ts';

/** English: the map. */
export const enMap = {
  title: 'Map',
  lead: {
    file: 'The file, cluster by cluster: what each is for, what is wasted and what is damaged.',
    guest: 'The disk as the guest sees it: where its content comes from, and what is empty.',
  },
  spaceLabel: 'Side',
  spaces: { file: 'File', guest: 'Disk' },
  viewLabel: 'Shown as',
  views: { picture: 'Picture', table: 'Table' },

  zoom: {
    label: 'Zoom',
    in: 'Zoom in',
    out: 'Zoom out',
    whole: { file: 'Whole file', guest: 'Whole disk' },
    seen: (range: string, size: string) => `${range} (${size})`,
    place: 'What is shown',
  },
  oneCluster: (size: string) => `One cell is one cluster of ${size}.`,
  oneCell: (size: string, clusters: string) =>
    `One cell stands for ${size}: ${clusters} clusters, shown as what most of it is.`,

  faults: {
    leaked: { title: 'Leaks', previous: 'Previous leak', next: 'Next leak' },
    damaged: { title: 'Damage', previous: 'Previous damage', next: 'Next damage' },
  },

  goTo: 'Go to address',
  go: 'Go',
  badAddress: 'An address is a number such as 0x30000, 196608 or 4M.',
  beyond: (end: string) => `The last address is ${end}.`,

  keys: 'Arrow keys move, Page Up and Page Down, Home and End go further, + and − zoom, Enter zooms in. The wheel scrolls, Ctrl and the wheel zoom.',
  mapLabel: 'Map',
  summary: {
    file: (name: string, size: string, kinds: string) =>
      `The file ${name}, ${size}: ${kinds}. The table says the same.`,
    guest: (name: string, size: string, kinds: string) =>
      `The disk in ${name}, ${size}: ${kinds}. The table says the same.`,
  },
  summaryPart: (kind: string, share: string) => `${kind} ${share}`,
  separator: ', ',
  empty: { file: 'The file is empty.', guest: 'The disk has no bytes.' },
  cancel: 'Cancel',
  cancelled: 'Cancelled. The picture was not drawn.',
  again: 'Draw again',
  updating: 'The image was changed. Its new picture is being drawn.',

  legend: 'What there is',
  legendNote: 'Choose a kind to see only that.',
  showOnly: (kind: string) => `Show only: ${kind}`,
  previousOf: (kind: string) => `Previous: ${kind}`,
  nextOf: (kind: string) => `Next: ${kind}`,

  selection: 'Selected',
  nothing: 'Nothing is selected',
  nothingNote: 'Click a cell, or walk over the map with the arrow keys.',
  alsoLeak: 'has leaks',
  alsoDamage: 'has damage',
  cells: (n: string) => `${n} clusters`,
  zoomHere: 'Zoom in here',
  showBytes: 'Show bytes',
  goToEntry: 'Go to the entry',
  goToEntryOf: (owner: string) => `Go to the entry of ${owner}`,
  showIn: { guest: 'Show on the disk', file: 'Show in the file' },
  showInOf: {
    guest: (offset: string) => `Show ${offset} on the disk`,
    file: (offset: string) => `Show ${offset} in the file`,
  },
  usesTitle: { file: 'Used by', guest: 'Where it comes from' },
  usedByNobody: 'Nothing refers to it.',
  partOfTables: 'It belongs to the image itself; the guest does not see it.',
  more: 'More refer to it than are listed here.',
  now: 'The disk as it is now',
  ofSnapshot: (name: string) => `Snapshot “${name}”`,
  onDisk: (offset: string) => `on the disk at ${offset}`,
  inFile: (offset: string) => `in the file at ${offset}`,
  inLayer: (offset: string, name: string) => `in ${name} at ${offset}`,
  inLayerOnly: (name: string) => `in ${name}`,
  nowhere: 'nowhere in the file',
  entryAt: (offset: string) => `entry at ${offset}`,
  refcountTitle: 'Reference count',
  refcount: {
    unused: 'Counted 0 times and used by nobody: free.',
    right: (n: number) => `Counted ${count(n, 'time', 'times')}, used as often.`,
    high: (stored: number, counted: number) =>
      `Counted ${count(stored, 'time', 'times')}, but used ${count(counted, 'time', 'times')}: space is wasted.`,
    low: (stored: number, counted: number) =>
      `Counted ${count(stored, 'time', 'times')}, but used ${count(counted, 'time', 'times')}: this can lose data.`,
  },

  table: {
    label: { file: 'Map of the file', guest: 'Map of the disk' },
    columns: { from: 'From', size: 'Size', kind: 'What it is' },
    other: { file: 'On the disk', guest: 'In the file' },
    none: '–',
    runs: (n: string) => `${n} runs in all`,
    first: 'First',
    previous: 'Previous',
    next: 'Next',
    loading: 'Reading…',
    select: (range: string) => `Select ${range}`,
  },

  command: 'With qemu-img',
  commandNote: {
    file: 'qemu-img counts what is wrong with the file; it has no picture of it.',
    guest: 'qemu-img lists the same runs, without snapshots.',
  },

  kinds: {
    header: { name: 'Header', note: 'Says what the image is and where its tables are.' },
    refcounts: {
      name: 'Reference counts',
      note: 'Says how often each cluster of the file is used.',
    },
    l1: { name: 'L1 table', note: 'Says where the L2 tables of the disk are.' },
    l2: { name: 'L2 table', note: 'Says where the clusters of a part of the disk are.' },
    snapshots: {
      name: 'Snapshot tables',
      note: 'The list of snapshots, and the tables that only they use.',
    },
    bitmaps: { name: 'Dirty bitmaps', note: 'Marks what changed since a backup.' },
    crypto: { name: 'Encryption header', note: 'Holds the locked keys of the disk.' },
    metadata: { name: 'Tables', note: 'What the format needs beside the content.' },
    data: { name: 'Data', note: 'Content of the disk, as it is.' },
    'snapshot-data': {
      name: 'Data of snapshots',
      note: 'Content that only snapshots still use.',
    },
    compressed: { name: 'Compressed data', note: 'Content of the disk, packed.' },
    'zero-held': {
      name: 'Zeros with room',
      note: 'Reads as zeros, and keeps its room in the file.',
    },
    zero: { name: 'Zeros', note: 'Says that it is zeros, and takes no room in the file.' },
    backing: { name: 'From below', note: 'Comes from the image below this one.' },
    unallocated: { name: 'Never written', note: 'Nobody wrote there yet: it reads as zeros.' },
    leaked: {
      name: 'Leaked',
      note: 'Counted as used, but nothing uses it. It wastes space and harms no data.',
    },
    free: { name: 'Free', note: 'Used by nobody: the next write may take it.' },
    damaged: {
      name: 'Damaged',
      note: 'Its tables contradict each other, or point nowhere. The check says more.',
    },
    unknown: { name: 'Unknown', note: 'It lies in a file that was not given, or is locked.' },
  },
};

export type MapText = typeof enMap;
