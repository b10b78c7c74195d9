import type { FindingKind, Owner } from '../../engine/operations/finding.ts';

/** What a kind of finding means to the owner of the image. */
export interface FindingSentence {
  /** A short name of the fault. */
  title: string;
  /** What is so in the file. */
  meaning: string;
  /** What it leads to. */
  consequence: string;
  /** What to do about it. */
  advice: string;
}

const COPY_FIRST = 'Keep a copy of the file before any repair.';
const REPAIR =
  'The repair sets this right; its plan shows what it changes before anything is written.';
const LOST =
  'What cannot be read there stays lost: save what is readable (Convert), or go back to a backup. The repair makes the tables sound again.';
const TWO_OWNERS =
  'The repair gives each owner a cluster of its own. Which of them has the right content, nobody can tell.';
const DO_NOT_RUN = 'Do not start a virtual machine from this file before it is repaired.';

/** What an explanation is for: a kind of finding, or one that other damage puts in a new light. */
export type FindingTopic = FindingKind | 'leak-doubtful' | 'refcount-contested';

export const enFindings: Record<FindingTopic, FindingSentence> = {
  'leak-doubtful': {
    title: 'Clusters that nothing points at',
    meaning:
      'They are counted as used, but nothing uses them. Other tables are damaged: these clusters may be the data that the damaged entries pointed at.',
    consequence: 'Freeing them now would let the next write destroy what could still be found.',
    advice: `${COPY_FIRST} Do not run QEMU’s own “qemu-img check -r leaks”: it frees them. The repair here keeps them as long as anything may need them.`,
  },
  'refcount-contested': {
    title: 'Clusters with more than one owner',
    meaning:
      'More tables point at these clusters than their reference count says, and not all of them can be right.',
    consequence: 'One of the owners reads foreign content. A write by one destroys the other.',
    advice: `${DO_NOT_RUN} ${TWO_OWNERS}`,
  },
  leak: {
    title: 'Wasted space',
    meaning: 'These clusters are counted as used, but nothing uses them.',
    consequence: 'No data is concerned. The file is larger than it needs to be.',
    advice:
      'Nothing is urgent. The repair frees them without risk, and so does every conversion to a new file.',
  },
  'refcount-low': {
    title: 'Clusters used more often than counted',
    meaning: 'More tables point at these clusters than their reference count says.',
    consequence: 'A write may go into data that something else still needs, or free it too early.',
    advice: `${DO_NOT_RUN} ${REPAIR}`,
  },
  'refcount-zero': {
    title: 'Used clusters counted as free',
    meaning: 'These clusters hold data or tables, but their reference count is zero.',
    consequence: 'The next write may take them as free space and overwrite what is there.',
    advice: `${DO_NOT_RUN} ${REPAIR}`,
  },
  'refcount-unreadable': {
    title: 'Reference counts that cannot be read',
    meaning: 'The table that should hold the counts of these clusters is misplaced.',
    consequence: 'It cannot be said whether they are used. Writing is not safe.',
    advice: `${DO_NOT_RUN} ${REPAIR}`,
  },
  'reftable-reserved-bits': {
    title: 'Impossible entry in the reference count table',
    meaning: 'Bits are set that every valid entry has at zero.',
    consequence: 'The counts of a whole stretch of the file are lost. The data itself is not.',
    advice: `${DO_NOT_RUN} ${REPAIR}`,
  },
  'refblock-unaligned': {
    title: 'Misplaced reference count block',
    meaning: 'The reference count table points between two clusters.',
    consequence: 'The counts of a whole stretch of the file are lost. The data itself is not.',
    advice: `${DO_NOT_RUN} ${REPAIR}`,
  },
  'refblock-outside': {
    title: 'Reference count block behind the end of the file',
    meaning: 'The reference count table points to a place that the file does not have.',
    consequence: 'The file was cut off, or its table is damaged.',
    advice: `Compare the length of the file with its source first. ${REPAIR}`,
  },
  'refblock-shared': {
    title: 'Reference count block that is not used exactly once',
    meaning: 'Something else uses the same cluster as a reference count block.',
    consequence: 'Writing one destroys the other.',
    advice: `${DO_NOT_RUN} ${REPAIR}`,
  },
  'reference-outside': {
    title: 'Pointers behind the end of the file',
    meaning: 'Tables point to clusters that the file does not have.',
    consequence: 'The guest reads zeros there: that data is missing.',
    advice:
      'Compare the length of the file with its source: a download or copy that was cut off is the usual cause. Fetch it again if you can. The repair can drop pointers whose data is not there.',
  },
  'refcount-overflow': {
    title: 'More references than can be counted',
    meaning: 'A cluster has more users than its reference count has room for.',
    consequence: 'Snapshots of this image cannot be counted correctly.',
    advice: 'Convert the image into a new file with wider reference counts.',
  },
  'l1-reserved-bits': {
    title: 'Impossible entry in an L1 table',
    meaning: 'Bits are set that every valid entry has at zero: foreign data got into the table.',
    consequence: 'A whole stretch of the disk may be mapped wrongly.',
    advice: `${DO_NOT_RUN} ${REPAIR}`,
  },
  'l2-reserved-bits': {
    title: 'Impossible entry in an L2 table',
    meaning: 'Bits are set that every valid entry has at zero: foreign data got into the table.',
    consequence: 'The guest data at this place may be wrong.',
    advice: `${DO_NOT_RUN} ${REPAIR}`,
  },
  'l2-unaligned': {
    title: 'Misplaced L2 table',
    meaning: 'An L1 entry points between two clusters.',
    consequence: 'The stretch of the disk that this table maps cannot be read.',
    advice: LOST,
  },
  'data-unaligned': {
    title: 'Misplaced data cluster',
    meaning: 'An L2 entry points between two clusters.',
    consequence: 'This piece of the disk cannot be read.',
    advice: LOST,
  },
  'zero-unaligned': {
    title: 'Misplaced reserved cluster',
    meaning: 'The entry reads as zeros, but the room kept for it lies between two clusters.',
    consequence: 'Reading gives zeros as it should; writing there fails.',
    advice: REPAIR,
  },
  'compressed-copied': {
    title: 'Compressed cluster with a mark that it must not have',
    meaning: 'The “may be overwritten” flag is set on a compressed cluster.',
    consequence: 'A write may go over compressed data of its neighbours.',
    advice: `${DO_NOT_RUN} ${REPAIR}`,
  },
  'copied-l1': {
    title: 'L1 entry that disagrees with the reference count',
    meaning: 'The “used only once” flag of the entry is not what the count says.',
    consequence:
      'If the flag is set wrongly, a write can damage a snapshot. If it is missing, writes are only slower.',
    advice: REPAIR,
  },
  'copied-l2': {
    title: 'L2 entry that disagrees with the reference count',
    meaning: 'The “used only once” flag of the entry is not what the count says.',
    consequence:
      'If the flag is set wrongly, a write can damage a snapshot. If it is missing, writes are only slower.',
    advice: REPAIR,
  },
  'snapshot-l1-unaligned': {
    title: 'Snapshot with a misplaced table',
    meaning: 'The snapshot points to its L1 table between two clusters.',
    consequence: 'The snapshot cannot be used. All its own clusters look like wasted space.',
    advice: `${COPY_FIRST} Beware: every repair with QEMU’s own qemu-img frees the clusters of this snapshot for good. The repair here looks for the table first.`,
  },
  'snapshot-l1-too-large': {
    title: 'Snapshot with an impossible table size',
    meaning: 'The snapshot claims an L1 table larger than 32 MiB.',
    consequence: 'The snapshot cannot be used. All its own clusters look like wasted space.',
    advice: `${COPY_FIRST} Beware: every repair with QEMU’s own qemu-img frees the clusters of this snapshot for good. The repair here looks for the table first.`,
  },
  'snapshot-incomplete': {
    title: 'Snapshot entry that lacks fields',
    meaning: 'The entry is shorter than version 3 of the format demands.',
    consequence: 'The size of the disk at the time of the snapshot is not recorded.',
    advice: REPAIR,
  },
  'snapshot-table-invalid': {
    title: 'Snapshot table that cannot be read',
    meaning: 'The list of snapshots is damaged, or claims more than any program writes.',
    consequence: 'The snapshots cannot be found, and the check ends here.',
    advice: `${COPY_FIRST} The current state of the disk can often still be converted.`,
  },
  'snapshots-with-data-file': {
    title: 'Snapshots in an image that cannot have any',
    meaning: 'The data of this image is in another file, which has no room for snapshots.',
    consequence: 'The snapshots do not hold what they promise.',
    advice: 'Do not rely on them. Find out which program made them.',
  },
  'bitmap-invalid': {
    title: 'Dirty bitmap that cannot be read',
    meaning: 'A list of changed blocks, kept for incremental backups, is damaged.',
    consequence: 'The check ends here. The guest data is not concerned by this itself.',
    advice: `${COPY_FIRST} Then remove the bitmap with “qemu-img bitmap --remove” and make the next backup a full one.`,
  },
  'compressed-data-file': {
    title: 'Compressed cluster where none may be',
    meaning: 'The data of this image is in another file, which cannot hold compressed clusters.',
    consequence: 'The guest data at this place cannot be relied on.',
    advice: LOST,
  },
  'compressed-subclusters': {
    title: 'Compressed cluster with marks that it must not have',
    meaning: 'A compressed cluster is a whole, but this entry also describes parts of it.',
    consequence: 'The guest data at this place cannot be relied on.',
    advice: REPAIR,
  },
  'subclusters-contradict': {
    title: 'Subcluster that is both data and zeros',
    meaning: 'The entry says of one part that it holds data and that it reads as zeros.',
    consequence: 'Reading this piece of the disk fails.',
    advice: LOST,
  },
  'subclusters-unallocated': {
    title: 'Subclusters without a cluster',
    meaning: 'The entry says that parts hold data, but names no place for them.',
    consequence: 'Reading this piece of the disk fails.',
    advice: LOST,
  },
  'zero-in-v2': {
    title: 'Mark that version 2 does not have',
    meaning:
      'An entry says “reads as zeros”, which exists since version 3. qemu-img check does not report it.',
    consequence: 'Reading this piece of the disk fails.',
    advice: `Find out which program wrote it. ${REPAIR}`,
  },
  'io-error': {
    title: 'Table that could not be read',
    meaning: 'The file has the table, but reading it failed.',
    consequence: 'What it maps could not be checked.',
    advice: 'Copy the file to another disk and check the copy. The medium may be failing.',
  },
  dirty: {
    title: 'Not closed cleanly',
    meaning:
      'The program that wrote it last did not finish: a crash, a power cut, or it is still running.',
    consequence: 'Reference counts may lag behind. The guest data is normally fine.',
    advice: `If a virtual machine is using the file, stop it first. ${REPAIR} QEMU does the same when it opens the file for writing.`,
  },
  'corrupt-bit': {
    title: 'Marked as corrupt by QEMU',
    meaning:
      'QEMU met an impossible write to this file and marked it, so that it is not written again.',
    consequence: 'It can be read, not written. A virtual machine will not start from it.',
    advice: `Save the data first (Convert). ${REPAIR}`,
  },
  truncated: {
    title: 'The end of the file is missing',
    meaning: 'Tables point behind the end of the file.',
    consequence: 'What lay there is lost in this copy.',
    advice:
      'Usually a download or copy that was cut off. Compare the length with the source and fetch the file again.',
  },
  overlap: {
    title: 'One cluster, two owners',
    meaning: 'Two different structures claim the same cluster. One of them holds foreign content.',
    consequence: 'Writing one destroys the other, and one of the two is already wrong.',
    advice: `${DO_NOT_RUN} ${TWO_OWNERS}`,
  },
  'block-outside': {
    title: 'Entries that point outside the file',
    meaning: 'The table says that these blocks are where the file has nothing for them.',
    consequence: 'Their content is not there, or the file was cut short.',
    advice: 'If you have the complete file, use that. What is readable can be saved with Convert.',
  },
  'block-duplicate': {
    title: 'One place, two blocks',
    meaning: 'Two entries of the table point to the same place in the file.',
    consequence: 'One of the two blocks reads foreign content, and a write to one changes both.',
    advice: `${DO_NOT_RUN} Save what is readable with Convert; which block is right, nobody can tell.`,
  },
  'block-unaligned': {
    title: 'Misplaced blocks',
    meaning: 'The table points between two blocks.',
    consequence: 'What is read there is not what was written.',
    advice: 'Save what is readable with Convert, or go back to a backup.',
  },
  'block-state': {
    title: 'Unknown state',
    meaning: 'The table marks a block in a way that does not exist.',
    consequence: 'The content of that block cannot be had.',
    advice: 'Save what is readable with Convert, or go back to a backup.',
  },
  'allocation-count': {
    title: 'Wrong number of blocks',
    meaning: 'The header counts another number of blocks than the table has.',
    consequence: 'No data is concerned. Some programs refuse such a file.',
    advice: 'Convert it to a new file of the same format: the number is right there.',
  },
  'header-copy': {
    title: 'One of two headers is damaged',
    meaning: 'The format keeps its header twice. One copy is damaged; the other one was used.',
    consequence: 'The content is complete. Some programs look only at the damaged copy and refuse.',
    advice: 'Convert it to a new file of the same format, which has two good copies again.',
  },
  'header-checksum': {
    title: 'Wrong checksum',
    meaning: 'The header makes sense, but its checksum is wrong: something changed it.',
    consequence: 'Some programs refuse such a file.',
    advice: 'Convert it to a new file of the same format, which has the right checksum.',
  },
  'table-copy': {
    title: 'Two tables that differ',
    meaning: 'The format keeps its table twice, and the copies are not the same.',
    consequence: 'Programs that look at the other copy read other content.',
    advice: 'Convert it to a new file and look at the content before you delete this one.',
  },
  'size-contradiction': {
    title: 'Two sizes',
    meaning: 'The header names the size of the disk twice, and not the same.',
    consequence: 'Depending on the program, the end of the disk is missing or there is more of it.',
    advice: 'Look at the partition table: it says which size was meant.',
  },
  'log-pending': {
    title: 'Not closed cleanly',
    meaning: 'Changes are still in the log of the file and not in their places.',
    consequence: 'Here they count as done. Programs that cannot read the log refuse the file.',
    advice: 'Save a clean copy with Convert, or start the machine once and shut it down.',
  },
  'tail-leak': {
    title: 'Wasted space at the end',
    meaning: 'The file goes on behind the last block that is in use.',
    consequence: 'No data is concerned. The file is larger than it needs to be.',
    advice: 'Nothing is urgent. Converting to a new file leaves it out.',
  },
  'parent-changed': {
    title: 'The parent was changed',
    meaning: 'The image below is not as it was when this image was made over it.',
    consequence: 'What is read is a mixture of both, which the guest may take for damage.',
    advice: 'Give the parent as it was then, for example from a backup.',
  },
  'extension-damaged': {
    title: 'An addition cannot be read',
    meaning: 'Something in the header that is not needed for the content is damaged.',
    consequence: 'The content is complete; what the addition said is lost.',
    advice: 'Nothing is urgent.',
  },
  'content-checksum': {
    title: 'The content does not match its checksum',
    meaning: 'The file carries a checksum of its content, and the content has another one.',
    consequence: 'Something in it was changed or damaged after it was made.',
    advice: 'Download or copy the file again.',
  },
};

export const enOwners: Record<Owner['kind'], string> = {
  header: 'header',
  l1: 'L1 table',
  l2: 'L2 table',
  'refcount-table': 'reference count table',
  'refcount-block': 'reference count block',
  'snapshot-table': 'snapshot table',
  'snapshot-l1': 'L1 table of a snapshot',
  bitmaps: 'dirty bitmaps',
  luks: 'encryption header',
  data: 'guest data',
  compressed: 'compressed guest data',
};
