/** English: settings, keys and what this app is, each said in a dialog of its own. */
export const enDialogs = {
  settings: {
    title: 'Settings',
    look: 'Look and language',
    units: 'Sizes',
    unitNames: { binary: 'KiB, MiB, GiB', decimal: 'kB, MB, GB' },
    unitsNote:
      'Virtual machines count in powers of 1024, makers of disks in powers of 1000. Exact numbers of bytes are the same in both.',
    motion: 'Motion',
    motions: { system: 'As the system', less: 'Less' },
    work: 'At work',
    ask: 'Ask before leaving',
    askNote: 'While something runs, or changes are not saved.',
    keys: 'Single-key shortcuts',
    keysNote: '0 to 9, / and ? without Ctrl.',
    notify: 'Tell me when long work is done',
    notifyNote: 'Only while this page is not in sight.',
    notifyMissing: 'This browser has no notifications.',
    storage: 'Stored in this browser',
    storageNone:
      'Nothing. Results that are not written to a place of your choice are kept here until you delete them.',
  },

  help: {
    title: 'Keyboard shortcuts',
    groups: {
      everywhere: 'Everywhere',
      image: 'With an image open',
      panels: 'Panels',
      console: 'In the console',
      places: 'In maps, bytes and tables',
    },
    open: 'Open an image',
    palette: 'Find an action',
    help: 'Show this list',
    escape: 'Close a dialog or menu',
    tabs: 'Move between tabs',
    save: 'Save',
    undo: 'Undo a change',
    redo: 'Redo it',
    goTo: 'Go to an address',
    filter: 'Filter',
    move: 'Move',
    page: 'Page by page',
    ends: 'First and last',
    enter: 'Open what is chosen',
    zoom: 'Closer or further away',
    history: 'Earlier commands',
    complete: 'Complete a name',
    stop: 'Stop the command',
    clear: 'Clear the output',
    off: 'Single-key shortcuts are switched off in the settings.',
  },

  about: {
    title: 'About',
    version: (version: string, commit: string) =>
      `Version ${version}${commit === '' ? '' : `, commit ${commit}`}`,
    what: 'Looks inside virtual machine disks, checks and repairs them, changes them and converts them. All of it runs in this browser.',
    privacyTitle: 'Privacy',
    privacy:
      'No file, name or number leaves this computer. There is no server behind this page, no account and no counting of visits. Kept in this browser: your settings, the list of recent files, and results until you delete them.',
    browserTitle: 'What this browser can do',
    tiers: {
      full: 'Everything works here, also changing files where they lie.',
      copy: 'This browser cannot write into your files. All else works: results and changed copies come as downloads.',
      small:
        'This browser keeps little or nothing for this page, so large results have to go to a place that you choose.',
      least: 'This browser can only read here: there is no place for large results.',
    },
    can: {
      pick: 'Remember files and open them again',
      folder: 'Look through a folder for missing files',
      launch: 'Open images by double click, once installed',
      save: 'Write results to a place that you choose',
      change: 'Change a file where it lies',
      store: 'Keep large results in private storage',
      offline: 'Work without network',
      wake: 'Keep the computer awake during work',
      notify: 'Tell you when long work is done',
    },
    instead: {
      pick: 'No: choose them again',
      folder: 'No: drop the folder, or choose the files',
      launch: 'No: open them from here',
      save: 'No: download them',
      change: 'No: save a changed copy',
    },
    yes: 'Yes',
    no: 'No',
    inMemory: 'In memory only (private window)',
    notYet: 'Not yet',
    specsTitle: 'Specifications',
    specs:
      'The formats are read and written as these say. The links lead to other sites; nothing is sent there but the visit itself.',
    licencesTitle: 'Licences',
    licences: 'This app: MIT. It contains the work of others under MIT and Apache 2.0.',
    licenceTexts: 'All licence texts',
    independent:
      'An independent program. QEMU’s specification of the format is followed; none of its code is used.',
  },
};

export type DialogsText = typeof enDialogs;
