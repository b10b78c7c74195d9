/** File names as qemu-img understands them. */

/** Protocols of the real program that lead somewhere else than to a file. */
const PROTOCOLS = [
  ...['blkdebug', 'blklogwrites', 'blkverify', 'fat', 'ftp', 'ftps', 'gluster', 'gluster+tcp'],
  ...['gluster+unix', 'gluster+rdma', 'host_cdrom', 'host_device', 'http', 'https', 'iscsi'],
  ...['iser', 'json', 'nbd', 'nbd+tcp', 'nbd+unix', 'nfs', 'null-aio', 'null-co', 'nvme'],
  ...['rbd', 'ssh', 'vvfat'],
];

/** Whether the real program has a protocol of that name. */
export function isProtocol(name: string): boolean {
  return PROTOCOLS.includes(name);
}

/** The protocol before the first colon, or undefined for the name of a file. */
export function protocolOf(name: string): string | undefined {
  const match = /^([^:/]*):/.exec(name);
  return match?.[1];
}

/** Why a name leads to no file, in words; undefined when it does. */
export function refusedName(name: string): string | undefined {
  if (name === '') return "The 'file' block driver requires a file name";
  const protocol = protocolOf(name);
  if (protocol === undefined || protocol === 'file') return undefined;
  if (!PROTOCOLS.includes(protocol)) return `Unknown protocol '${protocol}'`;
  return `The protocol '${protocol}' is not supported by this version`;
}

/** The name of the file itself: without `file:`, and such that no part of it looks like that. */
export function fileName(name: string): string {
  if (protocolOf(name) !== 'file') return name;
  const path = name.slice('file:'.length);
  return protocolOf(path) === undefined ? path : `./${path}`;
}

/** A name that an image holds, seen from where the image lies. Pure text: nothing is looked up. */
export function resolveName(name: string, from: string): string {
  if (name.startsWith('/') || protocolOf(name) !== undefined) return name;
  return from.slice(0, from.lastIndexOf('/') + 1) + name;
}
