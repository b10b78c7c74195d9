import type { RefusalReason, RepairKind } from '../../engine/formats/qcow2/repair/plan.ts';

/** English: what a repair does, kind by kind. The compiler asks for new kinds. */
export const enRepairs: {
  kinds: Record<RepairKind, string>;
  refusals: Record<RefusalReason, string>;
} = {
  kinds: {
    'free-leak': 'Clusters that nothing uses become free',
    'free-doubtful-leak':
      'Unused clusters become free although damaged pointers may have led there',
    'free-lost-table': 'Clusters that look like a lost table become free',
    'raise-refcount': 'Clusters in use are counted as often as they are used',
    'replace-refcount-block': 'Unusable blocks of reference counts are computed anew',
    'replace-refcount-table': 'The table of reference counts is built anew',
    'copied-l1': '“Used once” marks of tables are put right',
    'copied-l2': '“Used once” marks of clusters are put right',
    'l1-reserved-bits': 'Bits that have to be zero are cleared in the first table',
    'l2-reserved-bits': 'Bits that have to be zero are cleared in table entries',
    'l1-outside': 'Pointers to tables behind the end of the file are removed; they read as empty',
    'l1-unaligned': 'Pointers to tables between two clusters are removed; they cannot be read',
    'l1-aligned': 'Pointers to tables are put right to where the cluster begins',
    'put-back-l2': 'Lost tables are entered again where they belong',
    'put-back-l1': 'The lost first table of the disk or a snapshot is entered again',
    'keep-lost-tables':
      'Lost tables of unknown place get a snapshot of their own, “lost+found”; nothing else changes',
    'data-outside': 'Entries that point behind the end of the file say zeros, as they read already',
    'data-unaligned': 'Entries that point between two clusters say zeros; they cannot be read',
    'data-aligned': 'Entries are put right to where the cluster begins',
    'zero-place': 'Zeros whose reserved place is none lose that place',
    'compressed-copied': 'A mark that compressed data must not have is cleared',
    'compressed-bitmap': 'A subcluster map that compressed data must not have is cleared',
    'compressed-shortened': 'Compressed data that claims more than the file has is cut to it',
    'compressed-unreadable': 'Compressed data that cannot be unpacked says zeros',
    'subclusters-contradict': 'Subclusters that are data and zeros at once count as data',
    'subclusters-unallocated': 'Subclusters of no cluster are forgotten',
    'zero-in-v2': 'A mark that version 2 does not have is cleared, so that the place can be read',
    'copy-data': 'Data with two owners: the second gets a copy of its own',
    'copy-l2': 'Tables with two owners: the second gets a copy of its own',
    'move-l1': 'A first table that shares its place moves to one of its own',
    'move-compressed': 'Compressed data that shares its place moves to one of its own',
    'snapshot-incomplete': 'Entries of snapshots get what is missing in them',
    'snapshot-extra-cut': 'Entries of snapshots lose what is more than allowed',
    'snapshot-l1-emptied':
      'A snapshot whose table lies behind the end of the file gets an empty one',
    'snapshot-l1-resized': 'Impossible lengths in snapshots are set to what their disks need',
    'snapshot-dropped': 'Snapshots of which nothing can be read are removed from the list',
    'snapshot-table-rewritten': 'The list of snapshots is written anew',
    'bitmap-entry-dirty': 'Parts of bitmaps that cannot be read count as changed',
    'bitmap-dropped': 'Bitmaps of which nothing can be read are removed',
    'bitmaps-extension-dropped': 'The list of bitmaps is removed; it cannot be read',
    'header-field': 'Fields of the header are put right',
    'header-rebuilt': 'The header is rebuilt from what the file holds',
    'clear-dirty': 'The mark “not closed cleanly” is cleared',
    'clear-corrupt': 'The mark “corrupt” is cleared',
    'clear-autoclear': 'Marks of features that were not kept up to date are cleared',
  },
  refusals: {
    'encrypted-copy': 'A copy of encrypted data would need the key: unlock the image first.',
    'too-many-copies': 'More copies would be needed than the memory may hold.',
    overlap:
      'Tables share their place with something else. They are moved apart only when guesses are chosen, too.',
    'lost-table':
      'Clusters that look like a lost table are kept, so that it can still be put back.',
    'doubtful-leak': 'Unused clusters are kept as long as damaged pointers may have led there.',
    'header-unknown': 'The header says something that nobody here knows.',
    'header-lost': 'The header is lost, and nothing in the file says what it was.',
    'backing-name': 'The name of the backing file is lost.',
    'external-data': 'Something about the external data file cannot be mended in the tables.',
    'unreadable-medium': 'The medium does not give what would be needed.',
    'still-damaged': 'This is still found after the repair.',
  },
};
