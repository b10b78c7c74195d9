/** What the rules about destinations speak of. The rules themselves are in `table.ts`. */
import type { FormatName } from '../formats/format.ts';

/** Where disks are taken to. */
export type DestinationId =
  | 'azure'
  | 'aws'
  | 'gcp'
  | 'openstack'
  | 'esxi'
  | 'esxi-disk'
  | 'vmware'
  | 'hyper-v'
  | 'hyper-v-vhd'
  | 'virtualbox'
  | 'qemu'
  | 'qemu-old'
  | 'proxmox'
  | 'xcp-ng'
  | 'utm'
  | 'wsl';

/** What is known of a file when it is judged. Sizes in bytes. */
export interface FileFacts {
  readonly format: FormatName;
  /** As the format calls its kinds (`fixed`, `streamOptimized` ...); '' where it has none. */
  readonly subformat: string;
  /** What the image came in: gz, tar, OVA ...; '' where the file is the image. */
  readonly container: string;
  readonly virtualSize: number;
  /** The size that programs see which go by a VHD's geometry; the virtual size elsewhere. */
  readonly geometrySize: number;
  readonly encrypted: boolean;
  readonly hasBacking: boolean;
  readonly hasSnapshots: boolean;
  /** Its content is in another file, or in several. */
  readonly severalFiles: boolean;
  /** Not closed cleanly: changes in a log, refcounts behind. */
  readonly unclean: boolean;
  readonly corrupt: boolean;
  /** 2 or 3 for qcow2, the version in a VMDK's header; 0 where nothing depends on it. */
  readonly version: number;
  /** Bytes of the sectors that it promises the guest. */
  readonly sectorSize: number;
  readonly adapter: string;
  readonly zstd: boolean;
  readonly extendedL2: boolean;
  readonly dataFile: boolean;
  /** Feature bits that nobody here knows. */
  readonly unknownFeatures: boolean;
}

/** Why a file is not taken, or taken only with care; the words are the app's. */
export type Reason =
  | 'format' // not one of the formats that it takes
  | 'container' // it has to be unpacked first
  | 'needs-container' // it is taken only in an archive, with a fixed name
  | 'not-fixed' // a dynamic disk, where all of it has to be allocated
  | 'size-multiple' // not a multiple of what the size has to be a multiple of
  | 'size-least'
  | 'size-most'
  | 'geometry' // programs that go by the geometry see another size
  | 'backing' // part of it is in another image
  | 'data-file'
  | 'several-files'
  | 'encrypted'
  | 'snapshots'
  | 'unclean'
  | 'corrupt'
  | 'unknown-features'
  | 'zstd' // packed in a way that only QEMU 5.1 and later unpack
  | 'extended-l2'
  | 'version-3'
  | 'hosted-sparse' // a VMDK of the kind that desktop programs use
  | 'stream-optimized' // can be imported, but no machine runs from it
  | 'not-stream-optimized'
  | 'vmdk-version' // the header says a version that is too old or too new there
  | 'adapter-ide' // slow, and not what a server has
  | 'sparse-file' // the file must have no holes, or be uncompressed, where it lies
  | 'sector-size'
  | 'file-system'; // what is wanted is a file system without partitions

/** One reason, and how grave it is: `no`: it is refused; `care`: it is taken, and yet. */
export interface Verdict {
  readonly reason: Reason;
  readonly grade: 'no' | 'care';
  /** The number that the reason speaks of, bytes; 0 for none. */
  readonly limit: number;
}

/** A rule: what it says of a file, undefined where there is nothing to say. */
export type Rule = (facts: FileFacts) => Verdict | undefined;

/** How an image for a destination is made. */
export interface Recipe {
  readonly format: FormatName;
  /** Creation options, as `-o` takes them. */
  readonly options: Readonly<Record<string, string>>;
  /** Clusters are packed. */
  readonly compress: boolean;
  /** The disk is made longer, up to a multiple of so many bytes. */
  readonly sizeMultiple: number;
  /** And at least so long, bytes. */
  readonly sizeLeast: number;
  /** What the image is put into. */
  readonly container: 'none' | 'ova' | 'tar.gz' | 'vmfs-pair';
  /** End of the file's name. */
  readonly suffix: string;
}

export interface Destination {
  readonly id: DestinationId;
  /** A proper name, the same in every language. */
  readonly name: string;
  readonly rules: readonly Rule[];
  readonly recipe: Recipe;
  /** Commands to be run there; `FILE` stands for the file's name. */
  readonly commands: readonly string[];
}

/** What a destination says of a file. */
export interface Judgement {
  readonly id: DestinationId;
  /** `care`: it is taken, and something is to be known. */
  readonly verdict: 'yes' | 'care' | 'no';
  readonly reasons: readonly Verdict[];
}
