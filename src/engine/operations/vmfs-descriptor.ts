/**
 * The descriptor of a disk as ESXi keeps it on a datastore: a raw file that it names. VMware
 * «Virtual Disk Format», the descriptor file; createType `vmfs`.
 */
const SECTOR = 512;
const HEADS = 255;
const SECTORS = 63;

export interface VmfsDisk {
  /** Of the raw file beside it. */
  readonly flatName: string;
  /** Bytes. */
  readonly size: number;
  /** Random 32 bits: changes whenever the content does. */
  readonly contentId: number;
}

export function vmfsDescriptor({ flatName, size, contentId }: VmfsDisk): string {
  const sectors = Math.ceil(size / SECTOR);
  const cylinders = Math.max(1, Math.floor(sectors / (HEADS * SECTORS)));
  return `# Disk DescriptorFile
version=1
encoding="UTF-8"
CID=${contentId.toString(16).padStart(8, '0')}
parentCID=ffffffff
createType="vmfs"

# Extent description
RW ${sectors} VMFS "${flatName}"

# The Disk Data Base
#DDB

ddb.adapterType = "lsilogic"
ddb.geometry.cylinders = "${cylinders}"
ddb.geometry.heads = "${HEADS}"
ddb.geometry.sectors = "${SECTORS}"
ddb.virtualHWVersion = "13"
`;
}
