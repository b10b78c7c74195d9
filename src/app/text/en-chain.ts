import { count } from './en.ts';

/** English: files that belong to an image, and unlocking them. */
export const enChain = {
  title: 'Files of this disk',
  /** How many of them are not there yet. */
  missingCount: (n: number) => `${count(n, 'file is', 'files are')} missing`,
  complete: 'All files are open',
  suspicious: (n: number) => `All files are open, ${count(n, 'is', 'are')} suspicious`,
  lead: 'The content of this disk is spread over several files. Nothing that an image names opens by itself: you choose each file.',
  incomplete:
    'What the missing files hold is unknown until they are given. It is never taken for zeros: reading it fails.',
  kinds: { image: 'This image', backing: 'Backing file', 'data-file': 'Data file', extent: 'Part' },
  /** Parts that are open are not listed one by one where there are many. */
  openParts: (n: number) => `${count(n, 'more part is', 'more parts are')} open`,
  states: {
    open: 'Open',
    missing: 'Missing',
    locked: 'Locked',
    loop: 'Goes in a circle',
    wrong: 'Cannot be used',
  },
  given: (name: string) => `given: ${name}`,
  recorded: (format: string) => `recorded as ${format}`,
  recordedNot: 'no format recorded',
  recordedNotNote: 'QEMU then judges by the content',
  disk: (size: string) => `${size} disk`,
  file: (size: string) => `${size} file`,
  choose: 'Choose file…',
  chooseFor: (name: string) => `Choose the file for ${name}`,
  chooseOther: 'Choose another…',
  chooseOtherFor: (name: string) => `Choose another file for ${name}`,
  remove: 'Take away',
  removeFor: (name: string) => `Take away ${name}`,
  folder: 'Choose folder…',
  folderNote: 'or drop the file, or its folder, here',
  useOpen: (name: string) => `Use the open “${name}”`,
  unlock: 'Unlock…',
  unlockFor: (name: string) => `Unlock ${name}`,
  lockedNote:
    'Encrypted. Its tables can be checked; its content is unknown without the passphrase.',
  lockedTitle: 'This disk is encrypted',
  unlockedTitle: 'Unlocked, as far as can be told',
  legacy: 'The old AES cannot tell a wrong passphrase from the right one.',
  legacyRight: 'The disk begins as disks do, so the passphrase is probably right.',
  legacyNoise: 'The disk begins like nothing that is known here: the passphrase may be wrong.',
  legacyEmpty: 'The disk begins with nothing, so it does not show either.',
  another: 'Another passphrase…',
  anotherFor: (name: string) => `Another passphrase for ${name}`,
  wrongFormat: (format: string) => `The image above says that this file is ${format}. It is not.`,
  topProblem: 'The content of this image cannot be read, so the files below are of no use now.',
  protocol: (name: string) =>
    `An address (${name}). It is shown and never followed. Choose a local copy of that disk.`,
  json: (drivers: string, target: string) =>
    `Options for QEMU (${drivers}${target === '' ? '' : `: ${target}`}). They are shown and never followed. Choose the file.`,
  jsonUnreadable: 'unreadable',
  searching: 'Looking into the folder…',
  found: (n: number) => `${count(n, 'file', 'files')} found and opened`,
  notFound: (names: string, looked: string) => `Not among the ${looked} names in there: ${names}.`,
  several: (names: string) =>
    `Several files in there have this name, and their folders do not tell which: ${names}. Choose the right one.`,
  cut: (limit: string) => `Only the first ${limit} names were looked at. Choose a smaller folder.`,
  nameless: 'The image does not say what this file is called. Choose it yourself.',
  attached: (name: string) => `${name} is open now`,
  doubts: {
    otherName: (name: string, expected: string) =>
      `The image asks for “${expected}”, this file is called “${name}”. A renamed copy is fine, another disk is not.`,
    format: (recorded: string, found: string) =>
      `The image above says ${recorded}, the content looks like ${found}. QEMU goes by what is recorded, and so does this app: the ${found} file with its header and tables is taken for the disk itself. If that is a mistake, correct it: qemu-img rebase -u -F ${found}.`,
    dataFileFormat: (found: string) =>
      `It looks like a ${found} image, but a data file holds the bare disk. Is it the right file?`,
    foreign: (why: string) => `${why} It is read as a raw disk all the same.`,
    baseSmaller: (base: string, overlay: string) =>
      `Its disk has ${base}, the one above ${overlay}: behind its end, the disk reads as zeros. Normal after the disk was enlarged.`,
    baseLarger: (base: string, overlay: string) =>
      `Its disk has ${base}, the one above only ${overlay}: the rest is out of reach. Is it the right file?`,
    changedLater: (base: string, overlay: string) =>
      `Modified ${base}, after the file above it (${overlay}). If a machine wrote to it then, the two no longer fit together and data may be damaged. Copying and downloading set this time, too.`,
    sameFile: (other: string) =>
      `It is as long as “${other}” and begins like it: a copy of it, not another file?`,
    dataFileShort: (size: string, disk: string) =>
      `It ends at ${size}, the disk has ${disk}: everything behind reads as zeros. Is the copy complete?`,
  },
  marks: { warning: 'Suspicious', note: 'Note' },

  passphrase: {
    title: (name: string) => `Unlock ${name}`,
    about: (cipher: string) => `Encrypted with ${cipher}.`,
    promise:
      'The passphrase goes to this page’s engine and nowhere else. It is overwritten once it has been used; the key that it opens is kept in memory until you close the image.',
    legacy:
      'The old AES of qcow2 cannot tell a wrong passphrase from the right one: with a wrong one, the content is noise. Look at the result.',
    label: 'Passphrase',
    show: 'Show',
    hide: 'Hide',
    unlock: 'Unlock',
    keyFile: 'Use a key file…',
    keyFileNote: 'In a key file every byte counts, a line break at its end too.',
    keyFileTooLong: (size: string) => `This file has ${size}: too long for a key file.`,
    deriving: (rounds: string, time: string) =>
      `Trying: ${rounds} rounds of key derivation, about ${time}…`,
    trying: 'Trying…',
    unlocked: (name: string) => `${name} is unlocked`,
  },
};

export type ChainText = typeof enChain;
