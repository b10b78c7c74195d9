/** What is said of the health of partitions and file systems on the disk. English. */
import type { HealthValues } from '../../engine/index.ts';
import type { Texts } from './texts.ts';

type GuestCode =
  | 'guest-unclean'
  | 'guest-damaged'
  | 'guest-cut'
  | 'partition-outside'
  | 'partition-unreadable'
  | 'gpt-header-damaged'
  | 'gpt-not-at-end'
  | 'guest-full';

function partitions(numbers: readonly number[]): string {
  return `partition${numbers.length === 1 ? '' : 's'} ${numbers.join(', ')}`;
}

export const GUEST_TEXTS: Texts<Pick<HealthValues, GuestCode>> = {
  'guest-unclean': {
    title: ({ systems }) => `Not unmounted cleanly: ${systems.join(', ')}`,
    why: ({ isJournaled }) =>
      isJournaled
        ? 'The machine was running when the image was made, was switched off, or hibernated. The file system keeps a journal and sets itself right at the next start.'
        : 'The machine was running when the image was made, or was switched off. This file system keeps no journal: files that were being written may be damaged.',
    advice: ({ isJournaled }) =>
      isJournaled
        ? 'Start the machine once and shut it down before you change the disk from outside.'
        : 'Let the guest check the file system before it is used.',
  },
  'guest-damaged': {
    title: ({ systems }) => `Damaged superblock: ${systems.join(', ')}`,
    why: () =>
      'The checksum of the file system’s first block is wrong. The guest may refuse to mount it.',
    advice: () =>
      'Keep a copy, then run the check of that file system in the guest or from a rescue system.',
  },
  'guest-cut': {
    title: ({ systems, missing }, { size }) =>
      `The end is cut off: ${systems.join(', ')} lacks ${size(missing)}`,
    why: () =>
      'The file system is larger than the place it lies in. Most likely the disk or partition was made smaller first, and not the file system. What lay behind is gone.',
    advice: () =>
      'Make the disk and the partition as large as they were, if the old image is still there. Do not let the guest write to it before.',
  },
  'partition-outside': {
    title: ({ partitions: numbers, missing }, { size }) =>
      `${size(missing)} of ${partitions(numbers)} lie behind the end of the disk`,
    why: () =>
      'The partition table promises more than the disk has: the disk was made smaller, or the image is not complete. What lay there is gone, and guests may not start.',
    advice: () =>
      'Compare with the source of the image. If the disk was only made too small, resize it to its old size.',
  },
  'partition-unreadable': {
    title: ({ partitions: numbers }) => `The beginning of ${partitions(numbers)} cannot be read`,
    why: () => 'The tables of the image are damaged there, so that nothing can be said of it.',
    advice: () => 'Repair the image or save what is readable, then look again.',
  },
  'gpt-header-damaged': {
    title: ({ damaged }) =>
      damaged === 'primary'
        ? 'The partition table at the beginning is damaged'
        : 'The second copy of the partition table is damaged',
    why: ({ damaged }) =>
      damaged === 'primary'
        ? 'A GPT is kept twice. Only the copy at the end is sound; some systems do not look there and do not start.'
        : 'A GPT is kept twice. Only the copy at the beginning is sound, so that one more fault would lose the partitions.',
    advice: () => 'Write both copies anew in the guest, with gdisk for instance (command w).',
  },
  'gpt-not-at-end': {
    title: ({ bytes }, { size }) =>
      `${size(bytes)} behind the partition table’s end are out of reach`,
    why: () =>
      'The disk was made larger, and its GPT still ends where the disk ended before. The guest cannot use the new space until the table is moved.',
    advice: () =>
      'In the guest: move the second copy to the end (sgdisk -e), then let partition and file system grow.',
  },
  'guest-full': {
    title: ({ system, size: all, used }, { size }) =>
      `${system} is nearly full: ${size(Math.max(0, all - used))} of ${size(all)} are left`,
    why: () => 'Systems with a full disk fail in odd ways, often when they update or start.',
    advice: () => 'Tidy up in the guest, or make the disk larger.',
  },
};
