/**
 * Who takes what: the rules of every destination, with their sources. This file is the only place
 * that knows them. A rule says nothing, or why a file is refused (`no`) or to be looked at (`care`).
 */
import type { FormatName } from '../formats/format.ts';
import type { Destination, FileFacts, Reason, Recipe, Rule, Verdict } from './destination.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const TIB = 1024 * GIB;
/** Largest disk of a VHD (2040 GiB): the block table of the format ends there. */
const VHD_MOST = 2040 * GIB;
const VHDX_MOST = 64 * TIB;

function no(reason: Reason, limit = 0): Verdict {
  return { reason, grade: 'no', limit };
}

function care(reason: Reason, limit = 0): Verdict {
  return { reason, grade: 'care', limit };
}

/** A rule by what it looks for. */
function when(test: (facts: FileFacts) => boolean, verdict: Verdict): Rule {
  return (facts) => (test(facts) ? verdict : undefined);
}

/** Another rule for files of one format only. */
function of(format: FormatName, ...rules: readonly Rule[]): Rule[] {
  return rules.map((rule) => (facts) => (facts.format === format ? rule(facts) : undefined));
}

function formats(...names: readonly FormatName[]): Rule {
  return when(({ format }) => !names.includes(format), no('format'));
}

/** Files that may come as they are, and packed in one of these ways. */
function unpacked(...containers: readonly string[]): Rule {
  const isTaken = (container: string) => container === '' || containers.includes(container);
  return when(({ container }) => !isTaken(container), no('container'));
}

const multipleOf = (bytes: number) =>
  when(({ virtualSize }) => virtualSize % bytes !== 0, no('size-multiple', bytes));
const atLeast = (bytes: number) =>
  when(({ virtualSize }) => virtualSize < bytes, no('size-least', bytes));
const atMost = (bytes: number) =>
  when(({ virtualSize }) => virtualSize > bytes, no('size-most', bytes));

const encrypted = when((facts) => facts.encrypted, no('encrypted'));
const backing = when(({ hasBacking }) => hasBacking, no('backing'));
const dataFile = when((facts) => facts.dataFile, no('data-file'));
const severalFiles = when((facts) => facts.severalFiles, no('several-files'));
const allFiles = when((facts) => facts.severalFiles, care('several-files'));
const unclean = when((facts) => facts.unclean, care('unclean'));
const uncleanRefused = when((facts) => facts.unclean, no('unclean'));
const corrupt = when((facts) => facts.corrupt, no('corrupt'));
const unknownFeatures = when((facts) => facts.unknownFeatures, no('unknown-features'));
const snapshots = when(({ hasSnapshots }) => hasSnapshots, care('snapshots'));
const zstd = when((facts) => facts.zstd, care('zstd'));
const extendedL2 = when((facts) => facts.extendedL2, no('extended-l2'));
const version3 = when(({ version }) => version >= 3, no('version-3'));
const geometry = when(
  ({ geometrySize, virtualSize }) => geometrySize !== virtualSize,
  care('geometry'),
);
const sectors = when(({ sectorSize }) => sectorSize > 512, care('sector-size', 512));
const fixed = when(({ subformat }) => subformat !== 'fixed', no('not-fixed'));
const streamOnly = when(
  ({ subformat }) => subformat !== 'streamOptimized',
  no('not-stream-optimized'),
);

/** What nobody but QEMU has a use for: an image that is not whole by itself. */
const STAND_ALONE: readonly Rule[] = [backing, dataFile, corrupt];

const PLAIN: Omit<Recipe, 'format' | 'suffix'> = {
  options: {},
  compress: false,
  sizeMultiple: 1,
  sizeLeast: 0,
  container: 'none',
};

export const DESTINATIONS: readonly Destination[] = [
  {
    id: 'qemu',
    name: 'QEMU / libvirt',
    rules: [
      formats('qcow2', 'raw', 'vmdk', 'vdi', 'vpc', 'vhdx', 'qed', 'qcow', 'parallels', 'luks'),
      unpacked(),
      allFiles,
      corrupt,
      unknownFeatures,
      ...of('vhdx', uncleanRefused, sectors),
      ...of('vpc', geometry, backing),
      ...of('qcow2', unclean, zstd),
    ],
    recipe: { ...PLAIN, format: 'qcow2', suffix: '.qcow2' },
    commands: ['qemu-system-x86_64 -m 2G -drive file=FILE,format=qcow2,if=virtio'],
    // Source: https://www.qemu.org/docs/master/system/images.html
  },
  {
    id: 'qemu-old',
    name: 'QEMU < 1.7',
    rules: [
      formats('qcow2', 'raw', 'vmdk', 'vdi', 'vpc', 'qed', 'qcow'),
      unpacked(),
      corrupt,
      ...of('qcow2', version3),
    ],
    recipe: { ...PLAIN, format: 'qcow2', options: { compat: '0.10' }, suffix: '.qcow2' },
    commands: [],
    // Source: https://wiki.qemu.org/ChangeLog/1.7
  },
  {
    id: 'proxmox',
    name: 'Proxmox VE',
    rules: [
      formats('qcow2', 'raw', 'vmdk', 'vdi', 'vpc', 'vhdx'),
      unpacked(),
      allFiles,
      ...STAND_ALONE,
      encrypted,
      snapshots,
      unknownFeatures,
      ...of('qcow2', unclean, zstd),
      ...of('vhdx', uncleanRefused, sectors),
      ...of('vpc', geometry),
    ],
    recipe: { ...PLAIN, format: 'qcow2', suffix: '.qcow2' },
    commands: ['qm importdisk VMID FILE STORAGE'],
    // Source: https://pve.proxmox.com/wiki/Migrate_to_Proxmox_VE
    // Source: https://pve.proxmox.com/pve-docs/qm.1.html
  },
  {
    id: 'openstack',
    name: 'OpenStack',
    rules: [
      formats('qcow2', 'raw', 'vmdk', 'vdi', 'vhdx', 'vpc'),
      unpacked(),
      ...STAND_ALONE,
      severalFiles,
      unknownFeatures,
      extendedL2,
      zstd,
      ...of('vhdx', uncleanRefused),
      ...of(
        'vmdk',
        when(
          ({ subformat }) => !['monolithicSparse', 'streamOptimized'].includes(subformat),
          no('format'),
        ),
      ),
    ],
    recipe: { ...PLAIN, format: 'qcow2', suffix: '.qcow2' },
    commands: [
      'openstack image create --disk-format qcow2 --container-format bare --file FILE NAME',
    ],
    // Source: https://docs.openstack.org/image-guide/convert-images.html
    // Source: https://opendev.org/openstack/oslo.utils/src/branch/master/oslo_utils/imageutils/format_inspector.py
  },
  {
    id: 'azure',
    name: 'Microsoft Azure',
    rules: [
      formats('vpc'),
      unpacked(),
      ...of('vpc', fixed, multipleOf(MIB), atLeast(20 * MIB), atMost(VHD_MOST), backing),
    ],
    recipe: {
      ...PLAIN,
      format: 'vpc',
      options: { subformat: 'fixed', force_size: 'on' },
      sizeMultiple: MIB,
      sizeLeast: 20 * MIB,
      suffix: '.vhd',
    },
    commands: ['az disk create -n NAME -g GROUP --for-upload --upload-size-bytes BYTES'],
    // Source: https://learn.microsoft.com/azure/virtual-machines/linux/create-upload-generic
    // Source: https://learn.microsoft.com/azure/virtual-machines/windows/prepare-for-upload-vhd-image
  },
  {
    id: 'aws',
    name: 'AWS VM Import',
    rules: [
      formats('vmdk', 'vpc', 'vhdx', 'raw'),
      unpacked('ova'),
      ...STAND_ALONE,
      encrypted,
      severalFiles,
      ...of('vmdk', streamOnly),
      ...of('vhdx', uncleanRefused),
      ...of('vpc', geometry),
    ],
    recipe: {
      ...PLAIN,
      format: 'vmdk',
      options: { subformat: 'streamOptimized', adapter_type: 'lsilogic' },
      suffix: '.vmdk',
    },
    commands: [
      'aws ec2 import-snapshot --disk-container Format=VMDK,UserBucket={S3Bucket=BUCKET,S3Key=FILE}',
    ],
    // Source: https://docs.aws.amazon.com/vm-import/latest/userguide/prerequisites.html
  },
  {
    id: 'gcp',
    name: 'Google Cloud',
    rules: [
      formats('raw'),
      when(({ container }) => container !== 'tar.gz', no('needs-container')),
      multipleOf(GIB),
      encrypted,
    ],
    recipe: {
      ...PLAIN,
      format: 'raw',
      sizeMultiple: GIB,
      sizeLeast: GIB,
      container: 'tar.gz',
      suffix: '.tar.gz',
    },
    commands: ['gcloud compute images create NAME --source-uri gs://BUCKET/FILE'],
    // Source: https://cloud.google.com/compute/docs/import/import-existing-image
  },
  {
    id: 'esxi',
    name: 'VMware ESXi (OVA)',
    rules: [
      formats('vmdk'),
      unpacked('ova'),
      encrypted,
      backing,
      ...of(
        'vmdk',
        // What vmkfstools wrote runs as it is; what a desktop program wrote has to be imported.
        when(
          ({ subformat }) =>
            !['streamOptimized', 'vmfs', 'vmfsSparse', 'seSparse'].includes(subformat),
          no('hosted-sparse'),
        ),
        when(
          ({ subformat, container }) => subformat === 'streamOptimized' && container !== 'ova',
          care('stream-optimized'),
        ),
        when(
          ({ version, subformat }) => subformat === 'streamOptimized' && version < 3,
          care('vmdk-version', 3),
        ),
        when(({ adapter }) => adapter === 'ide', care('adapter-ide')),
      ),
    ],
    recipe: {
      ...PLAIN,
      format: 'vmdk',
      options: { subformat: 'streamOptimized', adapter_type: 'lsilogic', hwversion: '13' },
      container: 'ova',
      suffix: '.ova',
    },
    commands: ['ovftool FILE vi://HOST/'],
    // Source: https://www.dmtf.org/standards/ovf
    // Source: https://github.com/vmware/open-vmdk
    // Source: https://github.com/glennmatthews/cot/issues/65
  },
  {
    id: 'esxi-disk',
    name: 'VMware ESXi (datastore)',
    rules: [
      formats('vmdk'),
      unpacked(),
      allFiles,
      encrypted,
      backing,
      ...of(
        'vmdk',
        when(
          ({ subformat }) => !['vmfs', 'vmfsSparse', 'seSparse'].includes(subformat),
          no('hosted-sparse'),
        ),
      ),
    ],
    recipe: {
      ...PLAIN,
      format: 'raw',
      container: 'vmfs-pair',
      suffix: '.vmdk',
    },
    commands: ['vmkfstools -i FILE -d thin NEW.vmdk'],
    // Source: https://github.com/vmware/open-vmdk
    // Source: https://kb.vmware.com/s/article/1002511
  },
  {
    id: 'vmware',
    name: 'VMware Workstation / Fusion',
    rules: [
      formats('vmdk'),
      unpacked('ova'),
      allFiles,
      encrypted,
      ...of(
        'vmdk',
        when(
          ({ subformat, container }) => subformat === 'streamOptimized' && container !== 'ova',
          care('stream-optimized'),
        ),
        when(
          ({ subformat }) => ['vmfs', 'vmfsSparse', 'seSparse'].includes(subformat),
          no('format'),
        ),
      ),
    ],
    recipe: {
      ...PLAIN,
      format: 'vmdk',
      options: { subformat: 'monolithicSparse', adapter_type: 'lsilogic', hwversion: '13' },
      suffix: '.vmdk',
    },
    commands: [],
    // Source: https://github.com/vmware/open-vmdk
  },
  {
    id: 'hyper-v',
    name: 'Hyper-V (VHDX)',
    rules: [
      formats('vhdx', 'vpc'),
      unpacked(),
      ...of('vhdx', atMost(VHDX_MOST), unclean),
      ...of('vpc', atMost(VHD_MOST), geometry),
      when(({ format }) => format === 'vhdx' || format === 'vpc', care('sparse-file')),
    ],
    recipe: { ...PLAIN, format: 'vhdx', options: { subformat: 'dynamic' }, suffix: '.vhdx' },
    commands: ['fsutil sparse setflag FILE 0', 'compact /u FILE'],
    // Source: https://learn.microsoft.com/windows-server/virtualization/hyper-v/
    // Source: https://learn.microsoft.com/openspecs/windows_protocols/ms-vhdx/
  },
  {
    id: 'hyper-v-vhd',
    name: 'Hyper-V (VHD)',
    rules: [
      formats('vpc'),
      unpacked(),
      ...of(
        'vpc',
        atMost(VHD_MOST),
        geometry,
        when(() => true, care('sparse-file')),
      ),
    ],
    recipe: {
      ...PLAIN,
      format: 'vpc',
      options: { subformat: 'dynamic', force_size: 'on' },
      suffix: '.vhd',
    },
    commands: ['fsutil sparse setflag FILE 0', 'compact /u FILE'],
    // Source: https://learn.microsoft.com/windows-server/virtualization/hyper-v/
  },
  {
    id: 'virtualbox',
    name: 'VirtualBox',
    rules: [
      formats('vdi', 'vmdk', 'vpc', 'parallels', 'qcow', 'qcow2', 'qed', 'raw'),
      unpacked('ova'),
      allFiles,
      encrypted,
      corrupt,
      dataFile,
      ...of('qcow2', version3, snapshots),
      ...of(
        'raw',
        when(() => true, no('format')),
      ),
      ...of('vpc', geometry),
      ...of(
        'vmdk',
        when(
          ({ subformat }) => ['vmfs', 'vmfsSparse', 'seSparse'].includes(subformat),
          no('format'),
        ),
      ),
    ],
    recipe: { ...PLAIN, format: 'vdi', suffix: '.vdi' },
    commands: ['VBoxManage storageattach VM --storagectl SATA --port 0 --type hdd --medium FILE'],
    // Source: https://www.virtualbox.org/manual/ch05.html
  },
  {
    id: 'xcp-ng',
    name: 'XCP-ng / Xen Orchestra',
    rules: [
      formats('vpc', 'vmdk', 'raw', 'qcow2'),
      unpacked('ova'),
      ...STAND_ALONE,
      encrypted,
      atMost(VHD_MOST),
      ...of('vmdk', streamOnly),
      ...of(
        'vpc',
        geometry,
        when(({ subformat }) => subformat === 'fixed', care('format')),
      ),
    ],
    recipe: {
      ...PLAIN,
      format: 'vpc',
      options: { subformat: 'dynamic', force_size: 'on' },
      sizeMultiple: 2 * MIB,
      suffix: '.vhd',
    },
    commands: ['xe vdi-import uuid=VDI-UUID filename=FILE format=vhd --progress'],
    // Source: https://docs.xcp-ng.org/installation/migrate-to-xcp-ng/
  },
  {
    id: 'utm',
    name: 'UTM',
    rules: [
      formats('qcow2', 'raw', 'vmdk', 'vdi', 'vhdx', 'vpc'),
      unpacked(),
      ...STAND_ALONE,
      unknownFeatures,
      ...of('vhdx', uncleanRefused, sectors),
    ],
    recipe: { ...PLAIN, format: 'qcow2', suffix: '.qcow2' },
    commands: [],
    // Source: https://docs.getutm.app/settings-qemu/drive/drive/
  },
  {
    id: 'wsl',
    name: 'WSL',
    rules: [
      formats('vhdx', 'vpc'),
      unpacked(),
      ...of('vhdx', uncleanRefused),
      ...of('vpc', geometry),
      when(({ format }) => format === 'vhdx' || format === 'vpc', care('sparse-file')),
      when(({ format }) => format === 'vhdx' || format === 'vpc', care('file-system')),
    ],
    recipe: { ...PLAIN, format: 'vhdx', options: { subformat: 'dynamic' }, suffix: '.vhdx' },
    commands: ['wsl --mount --vhd FILE --bare', 'fsutil sparse setflag FILE 0'],
    // Source: https://learn.microsoft.com/windows/wsl/wsl2-mount-disk
  },
];
