import { count } from './en.ts';

/** English: the changes that can be made. */
export const enChanging = {
  title: 'Make a change',
  lead: 'One at a time. What you add joins the changes above; nothing is written before you save.',
  kinds: {
    resize: { title: 'Resize the disk', note: 'More or less room for the guest.' },
    rebase: {
      title: 'Rebase',
      note: 'Another image below, or none. What the guest reads stays the same.',
    },
    commit: { title: 'Commit', note: 'What an overlay holds goes into the image below it.' },
    backing: {
      title: 'Rename the backing file',
      note: 'Corrects the name by which the image below is found.',
    },
    options: {
      title: 'Format options',
      note: 'Version of the format, lazy reference counts, their width.',
    },
    bitmaps: { title: 'Dirty bitmaps', note: 'They mark what changed since a backup.' },
    keys: { title: 'Passphrases', note: 'Each takes one of the key slots.' },
    file: { title: 'Use a change file', note: 'An undo file or a patch that was made here.' },
  },
  values: {
    noBase: 'no base',
    bitmaps: (n: number) => count(n, 'bitmap', 'bitmaps'),
    slots: (used: number, all: number) => `${used} of ${all} slots`,
  },
  snapshots: 'Take, go back to or delete a snapshot',
  repair: 'Repair what the check finds',

  /** Why something cannot be done. */
  reasons: {
    format: (name: string) => `The format ${name} has none.`,
    resize: (name: string) =>
      `Images of the format ${name} cannot be resized in place. Convert it to a new disk instead.`,
    rebase: (name: string) => `Only qcow2 and QED images can do this. This one is ${name}.`,
    dataFile: 'Its content is in another file, which would have to change with it.',
    gap: (name: string) => `It needs “${name}” first. Give it in the Overview.`,
    noBase: 'Nothing lies below this image.',
    commit: 'Nothing lies below this image, and no image that is open lies above it.',
    version: 'Version 2 of the format has none. Upgrade it in the format options first.',
    noKeys: 'It is not encrypted.',
    legacyKeys: 'The legacy encryption has one passphrase for ever. Convert it to LUKS instead.',
    locked: 'Unlock it in the Overview first.',
  },

  /** The button of each form. */
  go: {
    resize: (to: string) => `Add “${to}” to the changes`,
    rebase: (name: string) => `Add “Rebase onto ${name}” to the changes`,
    standAlone: 'Add “Rebase onto nothing” to the changes',
    backing: (name: string) => `Add “Name ${name}” to the changes`,
    options: 'Add “New format options” to the changes',
    bitmap: (name: string) => `Add the bitmap “${name}”`,
    passphrase: 'Add the new passphrase',
    file: 'Choose the file…',
  },

  foresight: {
    looking: 'Looking what it would do…',
    frees: (size: string) => `Frees ${size} inside the file.`,
    takes: (size: string) => `Takes over ${size} of content.`,
    takesMost: (size: string) => `Takes over ${size} of content at most.`,
    takesNothing: 'Takes over nothing: there is no content that is missing here.',
    zeros: (size: string) => `${size} become zeros.`,
    different: (size: string) => `The guest would read ${size} differently.`,
    differentNone: 'The guest reads the same as before.',
    differentUnknown:
      'What the guest would read cannot be known: what lies below is not open. Better not.',
  },

  rebase: {
    note: 'Content that the new base does not have is copied into this image first, so that the guest reads the same as before. Over nothing, all of it is copied, and the image stands alone.',
    onto: 'The image below',
    none: 'Nothing',
    open: 'Open another image…',
    problems: {
      closed: 'could not be opened; if it is a raw disk, say so there',
      above: 'lies above this image',
      unsaved: 'has changes that are not saved',
      incomplete: 'is not complete itself',
    },
    name: 'Recorded as',
    nameNote: 'A path is looked up from the folder of this image.',
    compress: 'Compress what is copied',
    compressNote: 'qemu-img can do this from version 8.2 on.',
  },

  commit: {
    down: (base: string) => `Into “${base}” below`,
    downNote: (base: string) =>
      `“${base}” takes over all that this image holds. It is changed as an image of its own: the commit becomes one of its changes, and you save it there. Other images over “${base}” would be worth nothing afterwards.`,
    downGo: (base: string) => `Open “${base}” and add the commit there`,
    downUnknown: (base: string) =>
      `“${base}” has to be open as an image of its own. Open it, then come back.`,
    up: (overlay: string) => `From “${overlay}” above`,
    upNote: (overlay: string) =>
      `This image takes over all that “${overlay}” holds. Other images over this one would be worth nothing afterwards.`,
    upGo: (overlay: string) => `Add “Commit ${overlay}” to the changes`,
    unsaved: (name: string) => `“${name}” has changes that are not saved. Save them first.`,
    afterTitle: (overlay: string) => `“${overlay}” can be emptied now`,
    after:
      'All that it holds is in this image. Empty, it takes hardly any room and shows the same.',
    afterCopy: (overlay: string, base: string) =>
      `The changed copy has to take the place of “${base}” before “${overlay}” is emptied.`,
    afterGo: (overlay: string) => `Empty “${overlay}”`,
    doubtTitle: (overlay: string) => `“${overlay}” was not emptied`,
    doubtGo: (overlay: string) => `Empty “${overlay}” all the same`,
    doubtLeave: 'Leave it as it is',
  },

  backing: {
    note: 'Only the name is changed, and nothing is compared or copied. Use it when the same file has moved. With other content below, the guest reads other content.',
    name: 'Name of the backing file',
    format: 'Its format',
    formatNote:
      'Recorded, nobody has to guess it. A raw disk that is guessed could pass itself off as something else.',
    present: (name: string) => `Now: ${name}`,
  },

  options: {
    note: 'The content of the disk stays the same.',
    compat: 'Version of the format',
    compats: {
      '1.1': '3 (compat 1.1)',
      '0.10': '2 (compat 0.10), for QEMU before 1.1',
    },
    lazy: 'Lazy reference counts',
    lazyNote: 'Faster writing. After a crash, the image has to be repaired before it is used.',
    on: 'On',
    off: 'Off',
    bits: 'Width of reference counts',
    bitsOf: (n: number) => count(n, 'bit', 'bits'),
    bitsNote: 'How often a cluster can be shared. 16 bits do for 65,535 snapshots.',
    now: 'now',
    oldLazy: 'Version 2 has no lazy reference counts.',
    oldBits: 'Version 2 has reference counts of 16 bits only.',
    oldBitmaps: 'Version 2 has no bitmaps. Remove them first.',
    same: 'This is how it is now.',
  },

  bitmaps: {
    none: 'No bitmaps. A bitmap marks from now on what changes, so that a backup copies only that.',
    add: 'Add a bitmap',
    granularity: 'One bit for',
    granularityAuto: (size: string) => `${size} (as QEMU chooses)`,
    granularityNote: 'Finer bits make smaller backups, and take more memory.',
    recording: 'Records changes at once',
  },

  keys: {
    slot: (n: number) => `Slot ${n}`,
    active: 'In use',
    free: 'Free',
    rounds: (n: string) => `${n} rounds`,
    remove: 'Remove',
    removeFor: (n: number) => `Remove the passphrase in slot ${n}`,
    last: 'The last passphrase stays: without one, nobody could read the disk.',
    removeNote:
      'Which passphrase is in which slot, nothing tells. Make sure that you know one that stays.',
    add: 'Add a passphrase',
    current: 'A passphrase that opens it now',
    new: 'New passphrase',
    again: 'New passphrase again',
    different: 'The two are different.',
    into: 'Key slot',
    auto: 'The first free one',
    full: 'All slots are in use.',
    promise: 'Passphrases stay on this computer and are forgotten at once.',
  },

  file: {
    note: 'It says which file it was made for. With another file, nothing happens.',
  },
};

export type ChangingText = typeof enChanging;
