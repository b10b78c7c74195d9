import type { CreateFormat, CreateOption, PresetId } from '../create-options.ts';
import type { SizeFault } from '../create.svelte.ts';

/** English: new images. */

interface Words {
  label: string;
  note: string;
}

const FORMATS: Record<CreateFormat, Words> = {
  qcow2: { label: 'qcow2', note: 'For QEMU, Proxmox, OpenStack and UTM: grows, takes snapshots.' },
  raw: { label: 'Raw', note: 'The bare disk. Every program takes it; unwritten parts are holes.' },
  vmdk: { label: 'VMDK', note: 'For VMware Workstation, Fusion and ESXi.' },
  vhdx: { label: 'VHDX', note: 'For Hyper-V and WSL. Disks up to 64 TiB.' },
  vpc: { label: 'VHD', note: 'For Azure, Xen and older Hyper-V. Disks up to 2040 GiB.' },
  vdi: { label: 'VDI', note: 'For VirtualBox.' },
  luks: { label: 'LUKS', note: 'An encrypted raw disk, as Linux itself opens it.' },
  qed: { label: 'QED', note: 'Given up long ago. For old installations only.' },
  parallels: { label: 'Parallels', note: 'For old versions of Parallels.' },
  qcow: { label: 'qcow', note: 'Before qcow2. For very old installations only.' },
};

const PRESETS: Record<PresetId, string> = {
  qemu: 'QEMU, Proxmox, libvirt',
  virtualbox: 'VirtualBox',
  vmware: 'VMware',
  'hyper-v': 'Hyper-V',
  azure: 'Azure',
  'old-qemu': 'Very old QEMU',
};

const OPTIONS: Record<CreateOption, Words> = {
  cluster_size: {
    label: 'Cluster size',
    note: '64 KiB is good for nearly everything. Larger ones for very large disks, smaller ones for scattered data.',
  },
  compat: {
    label: 'Format version',
    note: '1.1 is what everybody uses. 0.10 also for programs from before 2012.',
  },
  preallocation: {
    label: 'Room on the disk',
    note: 'Whether the file takes its room now or when the machine writes.',
  },
  extended_l2: {
    label: 'Subclusters',
    note: 'Each cluster in 32 parts: quicker small writes over another image. Needs QEMU 5.2.',
  },
  lazy_refcounts: {
    label: 'Lazy reference counts',
    note: 'Quicker writing; after a crash of the host, the image has to be checked first.',
  },
  refcount_bits: {
    label: 'Width of reference counts',
    note: 'Bits. 16 allow 65,535 references to a cluster, far more than anybody has snapshots.',
  },
  compression_type: {
    label: 'Compression',
    note: 'How clusters are packed, should some be packed later. zstd needs QEMU 5.1.',
  },
  subformat: { label: 'Kind', note: 'How the disk is laid out in one or several files.' },
  adapter_type: { label: 'Adapter', note: 'The controller that VMware is to attach it to.' },
  hwversion: {
    label: 'Hardware version',
    note: 'Of the machine that it is for; “undefined” leaves it to the program.',
  },
  zeroed_grain: {
    label: 'Grains of zeros',
    note: 'Marks zeros in the tables instead of storing them. Not for ESXi.',
  },
  growth: {
    label: 'Room',
    note: 'Whether the file grows or is as long as the disk from the start.',
  },
  force_size: {
    label: 'Exact size',
    note: 'On: the size as it is given, as Azure wants. Off: rounded to whole cylinders.',
  },
  block_size: {
    label: 'Block size',
    note: 'The unit in which the file grows. “auto” goes by the size.',
  },
  log_size: { label: 'Log', note: 'Room for the journal that keeps the tables whole.' },
  block_state_zero: {
    label: 'Unwritten is zero',
    note: 'Says so in the tables. Off where a program should not rely on it.',
  },
  qed_cluster_size: { label: 'Cluster size', note: 'The unit in which the file grows.' },
  table_size: { label: 'Table size', note: 'Clusters of one table: how large the disk can get.' },
  parallels_cluster_size: { label: 'Cluster size', note: 'The unit in which the file grows.' },
  'cipher-alg': {
    label: 'Cipher',
    note: 'AES with a key of 256 bits unless you must have another.',
  },
  'cipher-mode': { label: 'Mode', note: 'XTS is what disks use.' },
  'hash-alg': { label: 'Hash', note: 'For deriving keys from the passphrase.' },
  'iter-time': {
    label: 'Time to unlock',
    note: 'Milliseconds for one try on this computer: longer is harder to guess.',
  },
};

/** Values that are no numbers, where a word says more than qemu-img's. */
const VALUES: Partial<Record<CreateOption, Record<string, string>>> = {
  compat: { '1.1': '1.1 (QEMU 1.1 and newer)', '0.10': '0.10 (older programs, too)' },
  preallocation: {
    off: 'Grows as it is written',
    metadata: 'Tables now, data later',
    falloc: 'All reserved now',
    full: 'All written now',
  },
  subformat: {
    monolithicSparse: 'One file that grows',
    monolithicFlat: 'Description and bare disk (2 files)',
    twoGbMaxExtentSparse: 'Parts of 2 GiB that grow',
    twoGbMaxExtentFlat: 'Parts of 2 GiB, bare',
    streamOptimized: 'For transport (compressed)',
  },
  growth: { dynamic: 'Grows as it is filled', fixed: 'All at once' },
};

const SIZE_FAULTS: Record<SizeFault, string> = {
  missing: 'How large is the disk to be? For example 20G.',
  invalid: 'This is no size. Write for example 20G, 1.5 TiB or 512M.',
  zero: 'A disk needs at least 512 bytes.',
  'too-large': 'This format has no disks of that size.',
};

export const enCreate = {
  title: 'New image',
  lead: 'An empty disk for a new machine, or a layer over an image that stays as it is.',
  back: 'Back',
  preset: 'For',
  format: 'Format',
  formats: FORMATS,
  presets: PRESETS,
  options: OPTIONS,
  values: VALUES,
  on: 'On',
  off: 'Off',
  size: 'Size of the disk',
  sizeHint: 'As the machine will see it. K, M, G and T count in 1024.',
  sizeOfBase: (size: string) => `Empty: as large as the image below, ${size}.`,
  sizeIs: (size: string) => `= ${size}.`,
  sizeFaults: SIZE_FAULTS,
  name: 'Name of the file',
  nameFault: 'A name without / and \\ is needed.',
  base: 'Image below',
  baseNone: 'None: the disk begins empty',
  baseNote: 'The new image holds what changes; the one below must stay as it is, where it is.',
  baseNoOther: 'Open an image first to make a layer over it.',
  baseOnly: 'qcow2, VMDK, QED and qcow can lie over another image.',
  baseName: 'How the new image names it',
  baseNameNote: 'The path from the new file to the one below, on the computer that will use them.',
  smaller: (base: string) => `The image below has ${base}: what is behind the new end is not seen.`,
  more: 'More options',
  encryption: 'Encrypt the content (LUKS)',
  encryptionNote: 'Without the passphrase, nobody reads it. It cannot be recovered.',
  passphrase: 'Passphrase',
  again: 'Passphrase once more',
  passphraseFaults: {
    missing: 'A passphrase is needed.',
    different: 'The two are different.',
  },
  takes: 'What it takes',
  now: 'Now',
  most: 'When the disk is full',
  disk: 'The machine sees',
  about: (size: string) => `about ${size}`,
  nothing: 'nearly nothing',
  long: (size: string) => `The file shows as ${size}, most of it holes that take no room.`,
  written: (size: string) => `All ${size} are written now: this takes its time and its room.`,
  clusterAdvice: (disk: string, cluster: string) =>
    `For a disk of ${disk}, clusters of ${cluster} make large tables and slow the machine down.`,
  chs: 'Rounded up to whole cylinders: the machine may see a little more.',
  several: 'Several files come of it. They name each other: keep their names, keep them together.',
  folder: 'You choose a folder. A file in it that has the same name is not overwritten.',
  staged: 'Made in this browser first, then copied.',
  command: 'The same with qemu-img',
  make: 'Create the image',
  makePlace: 'Choose a place and create…',
  makeFolder: 'Choose a folder and create…',
  made: (name: string) => `${name} is made`,
  madeNote: (size: string) => `A disk of ${size}, opened again to see that it is sound.`,
  open: 'Open it',
  download: 'Download',
  saveFolder: 'Save into a folder…',
  another: 'Make another',
  downloadStarted: 'The download has begun.',
  notChosen: 'No place was chosen. Nothing was made.',
  cancelled: 'Cancelled. Nothing was made.',
};

export type CreateText = typeof enCreate;
