/** What is said of findings: safety. English; the app has the other languages. */
import type { SafetyValues, SecretKind } from '../../engine/index.ts';
import { several } from './count.ts';
import type { Format, Texts } from './texts.ts';

const NAMES: Readonly<Record<SecretKind, [string, string]>> = {
  'private-key': ['private key', 'private keys'],
  'password-hash': ['password hash', 'password hashes'],
  'machine-id': ['machine ID', 'machine IDs'],
  'shell-history': ['history of a shell', 'histories of shells'],
  'cloud-credentials': ['access key of a cloud', 'access keys of a cloud'],
  token: ['access token', 'access tokens'],
};

type Secrets = SafetyValues['safety-secrets']['found'];

function listed(found: Secrets, format: Format): string {
  return found.map(({ kind, count }) => several(count, ...NAMES[kind], format)).join(', ');
}

const TRUST = 'Open it only if you trust whoever made it.';
const COMPACT = 'A copy written anew leaves these places out.';

export const SAFETY_TEXTS: Texts<SafetyValues> = {
  'safety-opens': {
    title: ({ name, role, reach, depth }) => {
      const who = depth === 0 ? 'It' : 'An image below it';
      if (reach === 'beside' || reach === 'path') {
        return role === 'backing'
          ? `${who} needs another file: ${name}`
          : `Its content is in ${name}`;
      }
      return `${who} makes QEMU open ${name}`;
    },
    why: ({ reach }) => {
      switch (reach) {
        case 'beside':
          return 'QEMU opens this file by the name in the header. When you pass the image on, pass that file on as well.';
        case 'path':
          return 'QEMU opens this file by the name in the header, outside the folder of the image. On another computer something else may lie there, or nothing.';
        case 'system':
          return 'That is a place of the computer itself, where no disk image belongs. Its content would appear inside the guest as if it were the disk: this is how prepared images read files of a server.';
        case 'protocol':
          return 'That is no file: QEMU would connect to it as soon as the image is opened. Whoever made the image decides where to, and can change what comes from there.';
        case 'json':
          return 'The name is a description for QEMU, which can choose drivers, files and connections. What it opens is not limited to disk images.';
      }
    },
    advice: ({ reach, role }) => {
      if (reach === 'beside' || reach === 'path') return '';
      return role === 'backing'
        ? `${TRUST} This program opens nothing by itself. If the content from there is wanted, take it into the image, which then names nothing.`
        : `${TRUST} This program opens nothing by itself.`;
    },
  },
  'safety-several-files': {
    title: () => 'Its description names other files',
    why: () =>
      'The content lies in files that are opened by their names in the description. Only all of them together are the disk.',
    advice: () => 'Pass all of them on together, or convert them into a single file.',
  },
  'safety-huge-disk': {
    title: ({ virtualSize }, { size }) => `It claims to be a disk of ${size(virtualSize)}`,
    why: ({ fileSize }, { size }) =>
      `The file has ${size(fileSize)}. A program that converts it to another format, or makes all of its room ready, can fill any medium.`,
    advice: () => `If this size was not intended, do not convert it to a fixed format. ${TRUST}`,
  },
  'safety-huge-table': {
    title: ({ bytes }, { size }) => `Its first table alone takes ${size(bytes)} of memory`,
    why: ({ virtualSize }, { size }) =>
      `Every program that opens it loads this table as a whole, for a disk of ${size(virtualSize)}. Services that look at many images may run out of memory.`,
    advice: () => 'A conversion with larger clusters makes the table small.',
  },
  'safety-expands': {
    title: ({ packed, unpacked }, { size }) => `${size(packed)} unpack to ${size(unpacked)}`,
    why: () =>
      'Ordinary content does not pack so well. Unpacking it can fill a medium, or keep a service busy for a long time.',
    advice: () => `See that there is room before you convert it. ${TRUST}`,
  },
  'safety-looks-like-image': {
    title: ({ looksLike }) => `The disk begins like a ${looksLike} image`,
    why: ({ looksLike, isRaw }) =>
      isRaw
        ? `A program that guesses the format takes this raw disk for ${looksLike}. Whoever can write to the disk inside the machine then decides which files of the host are opened.`
        : `Converted to a raw disk, programs that guess the format would take it for ${looksLike}, and open what its header names.`,
    advice: () => 'Always say the format: format=raw in QEMU, -f raw for qemu-img.',
  },
  'safety-weak-encryption': {
    title: () => 'Its encryption is weak',
    why: () =>
      'The old AES encryption uses the passphrase as the key, cut to 16 bytes, and shows where the content repeats. QEMU no longer runs machines from it.',
    advice: () => 'Convert it into a qcow2 image with LUKS encryption.',
  },
  'safety-remains': {
    title: ({ bytes }, { size }) => `${size(bytes)} may still hold deleted content`,
    why: ({ held, leaked, free }, { size }) => {
      const parts = [
        ...(held > 0 ? [`${size(held)} that now read as zeros`] : []),
        ...(leaked > 0 ? [`${size(leaked)} that were left behind`] : []),
        ...(free > 0 ? [`${size(free)} that are free`] : []),
      ];
      return `These places are in the file, but not on the disk: ${parts.join(', ')}. What was written there before may still be readable by whoever gets the file.`;
    },
    advice: () =>
      `Before you share the file: a deep look says whether anything is there. ${COMPACT}`,
  },
  'safety-remains-found': {
    title: ({ bytes }, { size }) => `${size(bytes)} of old content are still in the file`,
    why: () =>
      'They lie in places that the disk does not use any more. The guest cannot see them, but whoever gets the file can read them.',
    advice: () => `Before you share the file, write it anew. ${COMPACT}`,
  },
  'safety-snapshots': {
    title: ({ snapshots }, format) =>
      `${several(snapshots, 'snapshot holds', 'snapshots hold', format)} earlier states of the disk`,
    why: ({ bytes, vmState }, { size }) => {
      const parts = [
        ...(bytes > 0 ? [` ${size(bytes)} are only there.`] : []),
        ...(vmState > 0
          ? [
              ` ${size(vmState)} are the memory of running machines, with passwords that were in it.`,
            ]
          : []),
      ];
      return `Whoever gets the file gets what was deleted since, too.${parts.join('')}`;
    },
    advice: () => 'Before you share the file, make a copy without snapshots.',
  },
  'safety-secrets': {
    title: ({ found }, format) => `On the disk: ${listed(found, format)}`,
    why: () =>
      'Whoever gets a copy of the image gets them, too, and can use them elsewhere. Machines made from one image share them. Some may be examples that came with programs.',
    advice: () =>
      'For a disk that you alone use, this is as it should be. Before you share it, make a copy and clean that: virt-sysprep takes out keys, passwords and histories. Replace keys that were given away already.',
  },
  'safety-old-secrets': {
    title: ({ found }, format) => `Deleted, but still in the file: ${listed(found, format)}`,
    why: () =>
      'They lie in places that the disk does not use any more, or only in snapshots. The guest cannot see them, but whoever gets the file can read them.',
    advice: () =>
      'Before you share the file, make a copy without these places and without snapshots. Replace keys that were given away already.',
  },
};
