import { count } from './en.ts';
import { enRepairs } from './en-repairs.ts';

/** English: what is said about changing images. */
export const enChanges = {
  repairs: enRepairs,

  title: 'Changes',
  lead: 'Nothing is written while you collect changes here. Each one is tried on a layer over the file and checked; you save them when you are content.',
  none: 'No changes',
  noneNote:
    'Choose one below. What you choose is collected here, and nothing is written before you save it.',

  /** The line above the panels while something is pending. */
  tray: {
    label: 'Changes that are not saved',
    some: (n: number) => `${count(n, 'change', 'changes')}, not saved`,
    note: 'The image is shown as it will be. The file is as it was.',
    saved: (n: number) => `${count(n, 'change', 'changes')}, saved elsewhere`,
    savedNote: 'The image is shown with them. The file that you opened is as it was.',
    undo: 'Undo last',
    review: 'Review and save…',
  },

  list: 'In this order',
  undoLast: 'Undo last change',
  redoLast: 'Redo',
  redoFor: (what: string) => `Redo: ${what}`,
  added: 'Added to the changes. Nothing is written yet.',
  undoKey: (key: string) => `${key}`,
  clear: (n: number) => `Discard ${count(n, 'change', 'changes')}`,
  undone: 'The last change was taken back.',
  redone: 'The change was made again.',
  cleared: 'All changes were discarded. The file is as it was.',
  edits: {
    repair: 'Repair',
    'create-snapshot': (name: string) => `Take the snapshot “${name}”`,
    'apply-snapshot': (name: string) => `Go back to the snapshot “${name}”`,
    'delete-snapshot': (name: string) => `Delete the snapshot “${name}”`,
    'add-bitmap': (name: string) => `Add the bitmap “${name}”`,
    'clear-bitmap': (name: string) => `Clear the bitmap “${name}”`,
    'remove-bitmap': (name: string) => `Remove the bitmap “${name}”`,
    grow: (from: string, to: string) => `Grow the disk from ${from} to ${to}`,
    shrink: (from: string, to: string) => `Shrink the disk from ${from} to ${to}`,
    patch: (name: string) => `What “${name}” describes`,
    'enable-bitmap': (name: string) => `Let the bitmap “${name}” record changes`,
    'disable-bitmap': (name: string) => `Stop the bitmap “${name}” from recording`,
    'merge-bitmap': (name: string, from: string) => `Merge the bitmap “${from}” into “${name}”`,
    'rename-backing': (name: string) => `Record “${name}” as the backing file`,
    rebase: (name: string) => `Rebase onto “${name}”`,
    standAlone: 'Rebase onto nothing, so that the image stands alone',
    amend: (options: string) => `Format options: ${options}`,
    commit: (name: string) =>
      name === '' ? 'Commit an overlay into this image' : `Commit “${name}” into this image`,
    empty: 'Empty the image, so that its base shows',
    'add-passphrase': 'Add a passphrase',
    'remove-passphrase': (slot: number) => `Remove the passphrase in key slot ${slot}`,
  },
  effects: {
    frees: (size: string) => `frees ${size} inside the file`,
    takes: (size: string) => `takes ${size} inside the file`,
    grows: (size: string) => `the file grows by ${size}`,
    shrinks: (size: string) => `the file shrinks by ${size}`,
    same: 'the size of the file stays',
    repaired: (n: number) => count(n, 'fault mended', 'faults mended'),
  },

  numbers: {
    title: 'Together',
    written: 'Different bytes',
    writtenIn: (size: string, clusters: number, runs: number) =>
      `${size} in ${count(clusters, 'cluster', 'clusters')}, ${count(runs, 'place', 'places')}`,
    file: 'File size',
    fromTo: (from: string, to: string) => `${from} → ${to}`,
    same: (size: string) => `${size}, as before`,
    findings: 'Findings of the check',
    findingsOf: (corruptions: number, leaks: number) =>
      corruptions + leaks === 0
        ? 'none'
        : [
            corruptions > 0 ? count(corruptions, 'corruption', 'corruptions') : '',
            leaks > 0 ? count(leaks, 'leak', 'leaks') : '',
          ]
            .filter(Boolean)
            .join(', '),
    unknown: 'cannot be checked',
    checked: 'The image with all changes was checked: it has no fault that it did not have before.',
  },

  ways: {
    title: 'How to save',
    place: 'A changed copy, to a place that you choose',
    placeNote: (time: string) =>
      `About ${time}, most of it the browser’s own check of the new file. Holes stay holes. Your file stays as it is.`,
    placeMissing: 'This browser cannot write to a chosen place.',
    browser: 'A changed copy in this browser, then a download',
    browserNote: (time: string, size: string) =>
      `About ${time}, then the download. Takes up to ${size} here until you delete it. Your file stays as it is.`,
    browserMissing: 'This browser has no private storage for it.',
    browserMemory: 'A private window keeps files in memory: about 1 GiB fits.',
    file: (name: string) => `Change “${name}” itself`,
    fileNote: (time: string, size: string) =>
      `About ${time}, however small the change: the browser copies the whole file beside it (${size} of free space), changes the copy, checks it, and lets it take the file’s place. If anything fails in between, the file is as it was.`,
    fileStoredNote:
      'At once: the file lies in this browser. A journal makes sure that it is the old one or the new one, whatever happens.',
    fileMissing:
      'This browser gave only the content of the file, no way back into it. Open it with “Open image…” in Chrome or Edge, or take a copy or a patch.',
    filePermission:
      'The browser will ask whether this page may write to it: it may only read so far.',
    fileInUse:
      'Not while a virtual machine uses the file: nothing here can see that, and both would destroy it.',
    undo: 'Keep an undo file',
    undoNote: (size: string) =>
      `About ${size} in this browser: with it, all of this can be taken back.`,
    patch: 'A patch and a script that applies it',
    patchNote: (size: string) =>
      `At once: ${size} and a short script for sh or PowerShell. You run it where the file lies; it checks that the file is the right one, keeps the old bytes, and changes it in place within a second. For images too large to be copied.`,
    name: 'Name of the copy',
    verify: 'Compare the copy afterwards',
  },
  go: {
    place: 'Save the changed copy…',
    browser: 'Save the changed copy',
    file: (name: string) => `Change “${name}”`,
    patch: 'Make patch and script',
  },
  cancel: 'Cancel',
  cancelled: 'Cancelled.',
  unchanged: (name: string) => `“${name}” is as it was.`,
  notChosen: 'No place was chosen. Nothing was written.',
  notAllowed: (name: string) =>
    `The browser was not allowed to write to “${name}”. Nothing was written.`,
  interruptedNote:
    'Start the engine again: it looks at the file, and finishes or drops the change as a whole.',

  done: {
    copy: (name: string) => `“${name}” is saved`,
    copyNote: 'It was read again and is what it has to be. The file that you opened is as it was.',
    copyUnverified: 'It was not compared. The file that you opened is as it was.',
    file: (name: string) => `“${name}” is changed`,
    fileNote: 'What was written was read again and is right. The image is shown as it is now.',
    patch: 'Patch and scripts are ready',
    patchNote: (name: string) =>
      `Put the patch and one of the scripts beside “${name}” and run it there. Nothing is changed before that.`,
    scriptNote: (name: string) =>
      `Put one of the scripts beside “${name}” and run it there; the patch is in it. Nothing is changed before that.`,
    patchSh: 'Linux, macOS',
    patchPs: 'Windows',
    open: 'Open the copy',
    download: (name: string) => `Download “${name}”`,
    downloadAll: 'Download all',
    takeBack: 'Take it back',
    takeBackNote: 'Puts the old bytes into the file again.',
    takenBack: (name: string) => `“${name}” is as it was before the change.`,
    undoFile: 'Save the undo file',
    undoKept: (name: string, size: string) =>
      `The undo file “${name}” (${size}) is kept in this browser; the start screen lists it.`,
    time: (time: string) => `Done in ${time}.`,
    wrote: (size: string) => `${size} were written.`,
    close: 'Close this',
  },

  lost: (n: number) =>
    `${count(n, 'change was', 'changes were')} not saved, and the image was read anew without ${n === 1 ? 'it' : 'them'}.`,
  again: (n: number) => `Make ${n === 1 ? 'it' : 'them'} again`,
  forget: 'Forget',
  notAgain: (what: string) =>
    `“${what}” needs what was not kept: a passphrase, another image, or the command line. Make it anew.`,

  closing: {
    title: (name: string) => `Close “${name}”?`,
    body: (n: number) =>
      `${count(n, 'change is', 'changes are')} not saved. The file itself stays as it was.`,
    keep: 'Keep it open',
    discard: (n: number) => `Close and discard ${count(n, 'change', 'changes')}`,
  },

  recovered: {
    finished: (name: string) =>
      `A change of “${name}” was interrupted. It had been decided, so it was finished now: the file has all of it.`,
    dropped: (name: string) =>
      `A change of “${name}” was interrupted before it happened. The file is as it was.`,
    failed: (name: string) =>
      `A change of “${name}” was interrupted and cannot be finished: the file is not the one that it was made for. It was left as it is. Check it.`,
    local: (name: string) =>
      `A change of “${name}” was interrupted. The browser writes beside a file and swaps at the end, so it is either as before or changed as a whole. Open it to see which. A leftover “${name}.crswap” beside it can be deleted.`,
    localOld: (name: string) =>
      `The interrupted change of “${name}” did not happen: the file is as it was.`,
    localNew: (name: string) =>
      `The interrupted change of “${name}” did happen: the file has all of it.`,
    open: (name: string) => `Open “${name}”`,
    dismiss: 'Dismiss',
  },

  snapshot: {
    summary: (n: number, last: string) =>
      n === 1 ? `One snapshot: “${last}”.` : `${n} snapshots, the last one “${last}”.`,
    go: 'To the snapshots',
    create: 'Take a snapshot…',
    createTitle: 'Take a snapshot',
    createBody:
      'Keeps the disk as it is now inside this file. It takes little room at first, and grows as the disk changes afterwards. The state of a running machine is not part of it.',
    name: 'Name',
    suggested: (date: string) => `Snapshot ${date}`,
    sameName: 'There is a snapshot of that name already.',
    createGo: (name: string) => `Take snapshot “${name}”`,
    apply: 'Go back…',
    applyFor: (name: string) => `Go back to the snapshot ${name}…`,
    applyTitle: (name: string) => `Go back to “${name}”?`,
    applyBody:
      'The disk becomes what it was then. What it holds now is lost, unless a snapshot keeps it. The snapshot itself stays.',
    applySize: (now: string, then: string) =>
      `The disk has ${now} now and had ${then} then: its size changes, too.`,
    applyState: 'The memory of the machine that was saved with it is not put back by this.',
    keepNow: 'Take a snapshot of the disk as it is now first',
    keepName: (date: string) => `Before going back, ${date}`,
    applyGo: (name: string) => `Go back to “${name}”`,
    applyGoLose: (name: string) => `Go back to “${name}”, lose the present state`,
    delete: 'Delete…',
    deleteFor: (name: string) => `Delete the snapshot ${name}…`,
    deleteTitle: (name: string) => `Delete the snapshot “${name}”?`,
    deleteBody: 'The disk as it is now and the other snapshots stay as they are.',
    deleteFrees: (size: string) => `Frees ${size} inside the file, for new data.`,
    deleteFreesNothing: 'Frees next to nothing: what it holds is shared with others.',
    deleteShrink: 'The file itself does not get smaller by it; a converted copy would be.',
    deleteState: (size: string) => `The saved memory of the machine (${size}) goes with it.`,
    looking: 'Looking what it would free…',
    deleteGo: (name: string) => `Delete snapshot “${name}”`,
  },

  bitmap: {
    add: 'Add…',
    addFor: 'Add a bitmap…',
    addTitle: 'Add a bitmap',
    addBody:
      'Marks from now on what changes, for a backup to copy only that. It marks nothing at first.',
    name: 'Name',
    sameName: 'There is a bitmap of that name already.',
    addGo: (name: string) => `Add bitmap “${name}”`,
    clear: 'Clear',
    clearFor: (name: string) => `Clear the bitmap ${name}: it marks nothing then`,
    remove: 'Remove',
    removeFor: (name: string) => `Remove the bitmap ${name}`,
    enable: 'Record',
    enableFor: (name: string) => `Let the bitmap ${name} record changes`,
    disable: 'Stop recording',
    disableFor: (name: string) => `Stop the bitmap ${name} from recording`,
    merge: 'Merge…',
    mergeFor: (name: string) => `Merge another bitmap into ${name}…`,
    mergeTitle: (name: string) => `Merge into “${name}”`,
    mergeNote: 'What the other bitmap marks is marked here, too. The other one stays as it is.',
    mergeFrom: 'Other bitmap',
    mergeGo: (name: string, from: string) => `Merge “${from}” into “${name}”`,
  },

  resize: {
    open: 'Resize…',
    title: 'Resize the disk',
    now: (size: string) => `The disk has ${size} now.`,
    label: 'New size',
    unit: 'Unit',
    invalid: 'Give a size that is larger than zero.',
    sectors: 'It has to be whole sectors of 512 bytes.',
    growNote:
      'What is new is empty and takes no room in the file. The guest does not use it by itself: enlarge its partition and file system in the guest afterwards.',
    shrinkNote:
      'What lies behind the new end is lost. Make partition and file system smaller in the guest first.',
    cuts: 'These partitions lose their end, or all of it:',
    partition: (n: number, name: string, from: string, size: string) =>
      `Partition ${n}${name === '' ? '' : ` “${name}”`}: begins at ${from}, ${size}`,
    cutsNone: 'No partition reaches behind the new end.',
    cutsUnknown: 'What the guest keeps there could not be looked at.',
    gptLost:
      'The backup of the partition table at the end of the disk is lost; the guest can make it anew.',
    gptMisplaced:
      'The backup of the partition table stays in the old place; the guest’s partition tool offers to move it.',
    looking: 'Looking what would be cut off…',
    grow: (size: string) => `Grow the disk to ${size}`,
    shrink: (size: string) => `Shrink the disk to ${size}`,
    shrinkCut: (size: string, n: number) =>
      `Shrink to ${size}, cut ${count(n, 'partition', 'partitions')}`,
  },

  repair: {
    title: 'Repair',
    offer: 'See what a repair would change before anything is written.',
    plan: 'Plan a repair…',
    planning: 'The plan is made on a layer over the file; the file is only read.',
    again: 'Plan again',
    classes: {
      safe: 'Safe',
      guess: 'A guess',
      drops: 'Drops what cannot be read',
      loses: 'Gives up what might be found',
    },
    classNotes: {
      safe: 'Changes nothing that can be read, and gives up nothing that could be found again.',
      guess: 'Changes nothing that can be read, but what was meant is inferred.',
      drops: 'Gives up references whose targets cannot be read anyway, in this copy of the file.',
      loses: 'Gives up what can still be read in part, or what somebody could still look for.',
    },
    sum: (n: number, chosen: number) =>
      chosen === n ? count(n, 'step', 'steps') : `${chosen} of ${n} steps`,
    nothing: 'Nothing of this kind',
    findings: 'Findings',
    written: 'Written',
    content: 'Content of the disk',
    contentSame: (layers: number) =>
      layers <= 1
        ? 'Compared before and after: not a byte that can be read is different.'
        : `Compared before and after, in the disk and ${count(layers - 1, 'snapshot', 'snapshots')}: not a byte that can be read is different.`,
    contentBack: (size: string) => `${size} that could not be read come back.`,
    contentLost: (size: string) => `${size} cannot be read, before and after.`,
    refusals: 'What is not repaired',
    after: 'Afterwards',
    afterClean: 'The check finds nothing any more.',
    afterLeft: (findings: string) => `The check still finds: ${findings}.`,
    go: (n: number) => `Add ${count(n, 'repair step', 'repair steps')} to the changes`,
    goNothing: 'Nothing to repair with this choice',
    impossible: 'None of the findings can be repaired.',
    where: (n: string) => `Show where (${n})`,
  },
};

/** What every language has to say about changes. */
export type ChangesText = typeof enChanges;
