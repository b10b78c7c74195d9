/** English: the panel «Checksum». */
export const enChecksum = {
  whole: {
    title: 'Is my download whole?',
    lead: 'Compares the file with the checksum that its publisher gives: on the download page, or in a file such as SHA256SUMS beside it. The file is only read.',
    field: 'Published checksum',
    placeholder: 'Paste a checksum or lines of a list',
    choose: 'Choose the list…',
    dropHint: 'or drop it anywhere in this window',
    list: 'Published list',
    forget: 'Remove the list',
    tooLarge: (name: string) => `“${name}” is too large to be a list of checksums.`,
    compare: 'Compare',
    compute: (algorithm: string) => `Compute the ${algorithm}`,
    digest: (algorithm: string) => `${algorithm} of the file`,
  },

  /** What a list says of the file, before anything is computed. */
  says: {
    none: 'There is no checksum in this text.',
    unsupported: (kinds: string) =>
      `Only ${kinds} here, which is not computed. Look for a SHA-256 or SHA-512 checksum.`,
    alone: (algorithm: string) => `A ${algorithm} checksum`,
    listed: (algorithm: string, name: string) => `Has the ${algorithm} of “${name}”`,
    notListed: (name: string) =>
      `Does not have “${name}”: it is looked for by its checksum instead.`,
  },

  verdict: {
    match: 'The download is whole',
    matchAlone: 'The file has exactly the published checksum.',
    matchListed: (name: string) => `It is byte for byte the file that the list calls “${name}”.`,
    genuine:
      'This says as much as the checksum can be trusted: take it from the publisher’s own page. Signatures in lists are not checked here.',
    otherName: (name: string) => `This is “${name}”`,
    otherNameBody: (file: string) =>
      `The list does not have “${file}”, but this file has that checksum: it is whole and only has another name.`,
    mismatch: 'This is not the published file',
    mismatchBody: 'Its checksum is another one: at least one byte differs.',
    mismatchNow:
      'Download it again, and from another mirror if that does not help. Make sure that file and checksum belong to the same version.',
    mismatchOther: (name: string) => `It is the file that the list calls “${name}”.`,
    mismatchContent:
      'The published checksum is that of the content: the disk in it is right, and only the file around it is another one.',
    expected: 'Published',
    actual: 'This file',
    tooShort: (missing: string) => `The download was cut off: ${missing} are missing at the end.`,
    tooLong: (extra: string) => `It is ${extra} longer than the published file.`,
    notListed: 'The list does not know this file',
    notListedBody: 'Neither its name nor its checksum is in it. Is it the list of this version?',
    has: 'In the list',
    more: (n: string) => `… and ${n} more`,
  },

  content: {
    title: 'What is the fingerprint of its content?',
    lead: 'The SHA-256 of the disk as the guest sees it. It is the same for qcow2, raw and every other format, compressed or not: images with the same fingerprint hold the same disk.',
    compute: 'Compute the fingerprint',
    zeros: 'Zeros have to be counted too: a large disk takes its time even when it is empty.',
    digest: 'SHA-256 of the content',
    raw: 'This raw disk is nothing but its content: one checksum answers both.',
    missing: (name: string) =>
      `This image holds only changes. Open “${name}” first, otherwise parts of the disk are unknown.`,
    toOverview: 'To the Overview',
    same: 'The same with qemu-img and sha256sum',
  },

  about: (time: string) => `takes about ${time}`,
  result: (size: string, time: string) => `${size} in ${time}`,
  cancel: 'Cancel',
  cancelled: 'Cancelled. Your file was not changed.',
  dropList: 'Drop a list of checksums or a disk image',
};

export type ChecksumText = typeof enChecksum;
