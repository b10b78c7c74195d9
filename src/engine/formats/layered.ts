import type { Disk, LayeredDisk } from './format.ts';

/** Whether a disk can have one below it. */
export function isLayered(disk: Disk): disk is LayeredDisk {
  return 'backingName' in disk;
}
