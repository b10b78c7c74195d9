/** What formats are called, and what they say of themselves. */
import type { FactKey, FormatName } from '../../worker/api.ts';

const FORMAT_NAMES: Record<FormatName, string> = {
  bochs: 'Bochs',
  cloop: 'cloop (compressed loop device)',
  dmg: 'DMG (macOS)',
  luks: 'LUKS (encrypted volume)',
  parallels: 'Parallels',
  qcow: 'qcow version 1 (before qcow2)',
  qcow2: 'qcow2',
  qed: 'QED (QEMU, given up)',
  raw: 'Raw disk',
  vdi: 'VDI (VirtualBox)',
  vhdx: 'VHDX (Hyper-V)',
  vmdk: 'VMDK (VMware)',
  vpc: 'VHD (Virtual PC, Hyper-V, Azure)',
};

/** By the names that the formats have for their kinds. */
const SUBFORMATS: Record<string, string> = {
  fixed: 'Fixed: all of the disk is in the file',
  static: 'Fixed: all of the disk is in the file',
  dynamic: 'Dynamic: grows as it is filled',
  differencing: 'Differencing: holds what differs from its parent',
  undo: 'Undo: holds what differs from its parent',
  monolithicSparse: 'One file that grows as it is filled',
  monolithicFlat: 'A description and one file with the bare disk',
  twoGbMaxExtentSparse: 'In parts of at most 2 GiB, which grow as they are filled',
  twoGbMaxExtentFlat: 'In parts of at most 2 GiB with the bare disk',
  streamOptimized: 'Compressed, for transport: no machine runs from it',
  vmfs: 'As ESXi keeps it: a description and the bare disk',
  vmfsSparse: 'Snapshot of ESXi',
  seSparse: 'Snapshot of ESXi (SEsparse)',
  fullDevice: 'A whole disk of the host',
  partitionedDevice: 'Partitions of a disk of the host',
};

const FACTS: Record<FactKey, string> = {
  subformat: 'Kind',
  'format-version': 'Version of the format',
  creator: 'Made by',
  'creator-version': 'Version of that program',
  'creator-os': 'Made on',
  created: 'Made at',
  uuid: 'Identifier',
  'parent-uuid': 'Identifier of the parent',
  'parent-date': 'Parent modified at',
  'parent-name': 'Parent',
  'content-id': 'Content ID',
  'parent-content-id': 'Content ID of the parent',
  adapter: 'Made for the adapter',
  'hardware-version': 'Hardware version',
  'tools-version': 'VMware Tools version',
  extents: 'Parts',
  'block-size': 'Block size',
  'sector-size': 'Sector size',
  'physical-sector-size': 'Physical sector size',
  geometry: 'Geometry',
  'geometry-size': 'Size by the geometry',
  'current-size': 'Size by the header',
  log: 'Log',
  'in-use': 'Closed cleanly',
  compression: 'Compression',
  'volume-name': 'Name',
  features: 'Features',
};

export const enFormats = {
  names: FORMAT_NAMES,
  subformats: SUBFORMATS,
  facts: FACTS,
  qemuName: (name: string) => `qemu-img: ${name}`,
  geometryNote: 'cylinders/heads/sectors',
  logEmpty: 'Empty: closed cleanly',
  logPending: 'Holds changes that are not in their places yet',
  notClosed: 'No, or still in use',
  otherSize: (size: string) => `Programs that go by it see a disk of this size, not of ${size}.`,
  noticed: 'Noticed while opening',
};

export type FormatsText = typeof enFormats;
