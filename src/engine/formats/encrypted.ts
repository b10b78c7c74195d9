import type { Disk, EncryptedDisk } from './format.ts';

/** Whether the content of a disk is encrypted. */
export function isEncrypted(disk: Disk): disk is EncryptedDisk {
  return 'encryption' in disk && disk.encryption !== 'none';
}
