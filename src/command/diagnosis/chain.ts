/** What is said of findings: chain. English; the app has the other languages. */
import type { ChainValues } from '../../engine/index.ts';
import type { Texts } from './texts.ts';

const PARTS: Readonly<Record<ChainValues['chain-base-changed']['changes'][number], string>> = {
  size: 'the size of its file',
  'virtual-size': 'the size of its disk',
  metadata: 'its header or tables',
  content: 'its content',
};

export const CHAIN_TEXTS: Texts<ChainValues> = {
  'chain-base-missing': {
    title: ({ name }) => `The backing file ‘${name}’ is missing or could not be opened`,
    why: ({ bytes, virtualSize, exact }, { size, percent }) => {
      if (bytes === 0 && exact) return 'Nothing of the disk as it is now comes from it.';
      if (bytes === 0) return 'How much of the disk comes from it could not be found out.';
      const least = exact ? '' : 'At least ';
      const share = virtualSize > 0 ? ` (${percent(bytes / virtualSize)})` : '';
      return `${least}${size(bytes)}${share} of the disk come from it and cannot be read. QEMU does not open the image without it.`;
    },
    advice: ({ name }) =>
      `Give the file ‘${name}’, or correct its name if it is called otherwise now. It has to be the very same one: a similar image does not fit.`,
  },
  'chain-base-smaller': {
    title: ({ name, below }, { size }) =>
      `The disk of the backing file ‘${name}’ is smaller: ${size(below)}`,
    why: ({ above, size: bytes }, { size }) =>
      `The disk of ‘${above}’ has ${size(bytes)}. Behind the end of the backing file it reads as zeros, unless something was written there. That is normal for a disk that was enlarged.`,
    advice: () => '',
  },
  'chain-base-larger': {
    title: ({ name, below }, { size }) =>
      `The disk of the backing file ‘${name}’ is larger: ${size(below)}`,
    why: ({ above, below, size: bytes }, { size }) =>
      `The disk of ‘${above}’ ends at ${size(bytes)}. The last ${size(below - bytes)} of the backing file cannot be seen in it. If the backing file was enlarged later, it was changed under this image.`,
    advice: () =>
      'If the guest misses the end of its disk, enlarge the disk of this image to the size of the backing file.',
  },
  'chain-base-newer': {
    title: ({ name, above }) => `The backing file ‘${name}’ was written after ‘${above}’`,
    why: ({ below, modified }, { moment }) =>
      `It was written on ${moment(below)}, the image on it last on ${moment(modified)}. Whoever changes a backing file damages the images based on it. But copying and unpacking set this time, too.`,
    advice: () =>
      'If the backing file was only copied or downloaded again, all is well. If somebody wrote to it, compare it with a backup before the image is used.',
  },
  'chain-base-changed': {
    title: ({ name, harmless }) =>
      harmless
        ? `The file of the backing image ‘${name}’ has another size`
        : `The backing file ‘${name}’ has changed`,
    why: ({ since, changes, harmless }, { moment }) => {
      if (harmless) {
        return `Since ${moment(since)} only the size of the file has changed. Its tables are the same, and so are the samples of its content.`;
      }
      const parts = changes.map((part) => PARTS[part]).join(', ');
      return `Different since ${moment(since)}: ${parts}. This image holds only the differences from the backing file as it was then. With another one below, its files are a mixture of both.`;
    },
    advice: ({ harmless }) =>
      harmless
        ? 'Nothing has to be done. Remembering the backing file anew ends this note.'
        : 'Do not start a machine from this image. Put the old backing file back from a backup, and keep the changed one under another name.',
  },
  'chain-guard-outdated': {
    title: ({ name }) => `What is remembered does not fit the backing file ‘${name}’`,
    why: ({ since }, { moment }) =>
      `On ${moment(since)} the image named another backing file. It was rebased since, so that the two cannot be compared.`,
    advice: () => 'If the image works as it should, remember the backing file as it is now.',
  },
  'chain-base-corrupt': {
    title: ({ name }) => `The backing file ‘${name}’ is marked as corrupt`,
    why: () =>
      'QEMU stopped a write that would have destroyed something. What the image takes from this file may be damaged, too.',
    advice: ({ name }) =>
      `Check ‘${name}’ by itself. Repair a copy of it, and look whether the content stays the same before you put it in its place.`,
  },
  'chain-base-dirty': {
    title: ({ name }) => `The backing file ‘${name}’ was not closed cleanly`,
    why: () =>
      'Its records of used space may be out of date. Its content can be read. Somebody may have written to it, which a backing file does not bear.',
    advice: ({ name }) =>
      `Make sure that no machine uses ‘${name}’ itself. Then a check with repair puts its records in order without a change of content.`,
  },
  'chain-base-damaged': {
    title: ({ name, bytes }, { size }) =>
      `${size(bytes)} of the disk are damaged in the backing file ‘${name}’`,
    why: () =>
      'Its tables point to places that cannot be right. What the image takes from there cannot be read.',
    advice: ({ name }) =>
      `Check ‘${name}’ by itself, or put it back from a backup. It has to be the very same file as before the damage.`,
  },
  'chain-format-missing': {
    title: ({ name, format }) =>
      format === ''
        ? `The format of the backing file ‘${name}’ is not recorded`
        : `The format of the backing file ‘${name}’ is not recorded (it is ${format})`,
    why: ({ above, raw }) => {
      const start = `‘${above}’ names its backing file without a format, so its content decides.`;
      return raw
        ? `${start} Here that is a raw disk: a guest can write something to its beginning that looks like another format, and so reach other files of the host. libvirt refuses such an image.`
        : `${start} libvirt refuses such an image, and QEMU from 6.1 on no longer makes one.`;
    },
    advice: ({ format }) =>
      format === ''
        ? 'Record the format in the image. The content stays as it is.'
        : `Record the format ${format} in the image. The content stays as it is.`,
  },
  'chain-absolute-names': {
    title: ({ name, count }, { count: number }) =>
      count === 1
        ? `The backing file is named by its full path: ‘${name}’`
        : `${number(count)} backing files are named by their full paths`,
    why: () =>
      'When the files are moved to another folder or machine, the image no longer finds what it is based on.',
    advice: () =>
      'If the files lie in one folder and are to be moved together, record the name without the folder.',
  },
  'chain-cluster-sizes': {
    title: ({ smallest, largest }, { size }) =>
      `The images of the chain have clusters of different sizes, from ${size(smallest)} to ${size(largest)}`,
    why: ({ largest }, { size }) =>
      `The first write to a cluster copies the rest of it from below: up to ${size(largest)} for a few bytes, where the upper image has the larger clusters.`,
    advice: () =>
      'It matters only where much is written. New images on top can be made with the size that is used below.',
  },
  'chain-unguarded': {
    title: ({ name }) => `Nothing is remembered of the backing file ‘${name}’`,
    why: () =>
      'If it is changed or replaced by mistake, nobody notices before files in the image are damaged.',
    advice: () => 'Remember now what it is like. A change can then be told from it later.',
  },
  'chain-guest-differs': {
    title: ({ name, kind }) =>
      `Another ${kind} lies at the same place of the backing file ‘${name}’`,
    why: ({ here, below }) =>
      `The image holds ${here} there, the backing file ${below}. Either the file system was made anew or got a new identity within the image, as some systems do at their first start, or this is not the backing file that the image was made on.`,
    advice: () =>
      'If the guest starts and finds its files, all is well. If not, look for the backing file with the same identity.',
  },
  'chain-version-2': {
    title: ({ name }) => `‘${name}’ cannot give space back: it is version 2 and has a backing file`,
    why: () =>
      'In version 2 there is no way to say that a cluster reads as zeros. Where the guest discards something, the old content of the backing file would show, so QEMU does not discard.',
    advice: () => 'Raise the image to version 3. QEMU reads it from 1.1 on.',
  },
  'chain-empty-overlay': {
    title: () => 'This image holds nothing of its own',
    why: ({ name }) =>
      `All of the disk comes from ‘${name}’. Nothing was written since it was made or emptied.`,
    advice: () => '',
  },
  'chain-base-unused': {
    title: ({ name }) => `Nothing of the disk comes from the backing file ‘${name}’ any more`,
    why: ({ bytes }, { size }) =>
      `The image itself holds all that there is, ${size(bytes)}. It still cannot be opened without the backing file.`,
    advice: () => 'Make the image independent. That copies nothing, and takes no more space.',
  },
};
