import type { ChoiceId, ChoiceValue, TargetFormat } from '../goal.ts';
import { count } from './en.ts';

/** English: what a conversion makes. */

/** A value and what speaks for it. */
interface ChoiceText {
  label: string;
  note: string;
}

type Choices = { [Id in ChoiceId]: { label: string; values: Record<ChoiceValue<Id>, ChoiceText> } };

const FORMATS: Record<TargetFormat, { label: string; note: string }> = {
  raw: { label: 'Raw', note: 'The bare content. Every program takes it; holes stay holes.' },
  qcow2: { label: 'qcow2', note: 'For QEMU, Proxmox, OpenStack and UTM. Grows as it is filled.' },
  vmdk: { label: 'VMDK', note: 'For VMware. Which kind is right depends on the product.' },
  vpc: { label: 'VHD', note: 'For Azure, Xen and older Hyper-V. Disks up to 2040 GiB.' },
  vhdx: { label: 'VHDX', note: 'For Hyper-V and WSL. Disks up to 64 TiB.' },
  vdi: { label: 'VDI', note: 'For VirtualBox.' },
  qed: {
    label: 'QED',
    note: 'Once meant to follow qcow2, and given up. For old installations only.',
  },
  parallels: { label: 'Parallels', note: 'For old versions of Parallels.' },
  qcow: { label: 'qcow', note: 'Before qcow2. For very old installations only.' },
};

const CHOICES: Choices = {
  compression: {
    label: 'Compression',
    values: {
      none: { label: 'None', note: 'Quick to make and to read.' },
      zlib: { label: 'zlib', note: 'Smaller; every program that reads the format reads it.' },
      zstd: { label: 'Zstandard', note: 'Smaller and quicker than zlib; needs QEMU 5.1 or newer.' },
    },
  },
  compat: {
    label: 'Readable by',
    values: {
      '1.1': { label: 'QEMU 1.1 and newer', note: 'Version 3 of the format: what everybody uses.' },
      '0.10': {
        label: 'Older programs, too',
        note: 'Version 2: also for VirtualBox and old QEMU.',
      },
    },
  },
  cluster: {
    label: 'Cluster size',
    values: {
      '64k': { label: '64 KiB', note: 'Good for nearly everything.' },
      '4k': { label: '4 KiB', note: 'A smaller file for scattered data; large disks get slow.' },
      '16k': { label: '16 KiB', note: 'Between both.' },
      '256k': { label: '256 KiB', note: 'Fewer tables, for large disks.' },
      '1M': { label: '1 MiB', note: 'Fewer tables, for very large disks; takes more room.' },
      '2M': { label: '2 MiB', note: 'The largest that there is; takes most room.' },
    },
  },
  vmdk: {
    label: 'Kind',
    values: {
      monolithicSparse: {
        label: 'One file that grows',
        note: 'monolithicSparse: for VMware Workstation, Fusion and VirtualBox.',
      },
      streamOptimized: {
        label: 'Compressed, for transport',
        note: 'streamOptimized: to be imported, for example by AWS. No machine runs from it.',
      },
      monolithicFlat: {
        label: 'Description and bare disk',
        note: 'monolithicFlat: two files, which have to stay together.',
      },
      twoGbMaxExtentSparse: {
        label: 'Parts of 2 GiB that grow',
        note: 'twoGbMaxExtentSparse: several files, for file systems that take no larger ones.',
      },
      twoGbMaxExtentFlat: {
        label: 'Parts of 2 GiB, bare disk',
        note: 'twoGbMaxExtentFlat: several files with all of the disk.',
      },
    },
  },
  adapter: {
    label: 'Adapter',
    values: {
      lsilogic: { label: 'LSI Logic (SCSI)', note: 'What VMware gives most machines.' },
      ide: { label: 'IDE', note: 'For machines that boot from IDE; slow on ESXi.' },
      buslogic: { label: 'BusLogic (SCSI)', note: 'For old 32-bit machines.' },
      legacyESX: { label: 'legacyESX', note: 'For old versions of ESX.' },
    },
  },
  growth: {
    label: 'Room',
    values: {
      dynamic: { label: 'Grows as it is filled', note: 'The file is as long as the data in it.' },
      fixed: { label: 'All at once', note: 'The file is as long as the disk: what Azure wants.' },
    },
  },
  exact: {
    label: 'Size',
    values: {
      on: { label: 'Exactly that of the disk', note: 'As Azure and newer programs want it.' },
      off: {
        label: 'As the geometry allows',
        note: 'Rounded up to whole cylinders, for old Virtual PC.',
      },
    },
  },
};

export const enGoal = {
  title: 'What to make',
  modes: { format: 'A file format', destination: 'For a destination' },
  formats: FORMATS,
  choices: CHOICES,
  made: 'What is made',
  containers: {
    ova: 'in an OVA, with the description of a machine around it',
    'tar.gz': 'as disk.raw in a .tar.gz archive',
    'vmfs-pair': 'with a description beside it: two files',
  },
  diskSize: 'Size of the disk in it',
  rounded: (from: string, multiple: string, name: string) =>
    `The disk has ${from}; rounded up to a whole multiple of ${multiple}, as ${name} wants. Zeros are behind its end.`,
  raised: (from: string, least: string, name: string) =>
    `The disk has ${from}; ${name} takes none below ${least}. Zeros are behind its end.`,
  fileSize: 'Size of the new file',
  fileAbout: (size: string) => `about ${size}`,
  fileMost: (size: string) => `less than ${size}, as it is compressed`,
  several:
    'Several files come of it. They name each other: keep their names, and keep them together.',
  plain: 'This disk is encrypted. In the new file, its content is not.',
  staged: 'Made in this browser first, then copied: needs room twice while it works.',
  folder: 'You choose a folder. A file in it that has the same name is not overwritten.',
  startFolder: 'Choose a folder and convert…',
  notAlone: {
    ova: 'qemu-img makes the disk only. The OVA around it is made by ovftool.',
    'vmfs-pair': 'The nearest that qemu-img makes: ESXi wants another type in the description.',
  },
  after: 'Afterwards, where it goes',
  afterNote: 'Words in capitals stand for names of your own.',
  copyLine: (n: number) => `Command ${n}`,
  files: (n: number) => count(n, 'file', 'files'),
  filesReady: (n: number) => `${count(n, 'file is', 'files are')} ready`,
  filesSaved: (n: number) => `${count(n, 'file is', 'files are')} written`,
  downloadAll: (n: number) => `Download all ${n} files`,
  downloadNote:
    'They are downloaded one after the other. The browser may ask whether several are allowed, and must not rename them: they name each other.',
  saveFolder: 'Save all into a folder…',
  saveOne: (name: string) => `Download ${name}`,
  inFolder: 'In the folder you chose',
};

export type GoalText = typeof enGoal;
