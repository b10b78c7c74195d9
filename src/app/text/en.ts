/**
 * English: everything that the first screen and the frame around all screens say. The rest is in
 * `en-image.ts`, loaded behind the first paint. Every other language is typed by these objects, so
 * the compiler finds a sentence that is missing.
 */

/** Joins with the plural: 1 file, 2 files. */
export function count(n: number, one: string, many: string): string {
  return `${n.toLocaleString('en')} ${n === 1 ? one : many}`;
}

export const en = {
  /** For <html lang> and Intl. */
  tag: 'en',
  app: 'qcow2 workbench',

  start: {
    title: 'Virtual machine disks, opened in the browser',
    lead: 'See what is in an image, whether it is whole, mend it, change it, and turn it into what you need.',
    drop: 'Drop a disk image here',
    open: 'Open image…',
    create: 'New image…',
    sample: 'Try a sample',
    sampleAbout: 'A small Linux disk with a snapshot, compressed data and one harmless fault.',
    formats:
      'qcow2, raw, VMDK, VHD, VHDX, VDI, OVA, DMG and more, also in .gz, .xz, .zst or .zip. Any size.',
    privacy: 'Files stay on this computer. This page cannot send data: its own policy forbids it.',
    howToCheck: 'How to check',
    recent: 'Recent',
    recentNote: 'The browser asks before it lets a file be read again.',
    recentNames: 'This browser remembers names only: you will be asked for the file.',
    reopen: (name: string) => `Open ${name} again`,
    chooseAgain: (name: string) => `Choose ${name} again`,
    gone: (name: string) =>
      `“${name}” is no longer there: it was moved, renamed or deleted. Open it from its new place.`,
    refused: (name: string) =>
      `The browser was not allowed to read “${name}”. Click it to be asked again.`,
    remove: (name: string) => `Remove ${name} from the list`,
    stored: 'Stored in this browser',
    storedNote:
      'Results that have not been moved to a folder. Save what you need, then delete it here.',
    storedUnsafe: 'When room gets short, the browser may clear them away.',
    storedSafe: 'The browser keeps them until you delete them.',
    storedKeep: 'Ask it to keep them',
    storedRefused: 'The browser does not promise to keep them.',
    storedTotal: (files: number, size: string) => `${count(files, 'file', 'files')}, ${size}`,
    save: 'Save',
    saveName: (name: string) => `Save ${name}`,
    openName: (name: string) => `Open ${name}`,
    deleteName: (name: string) => `Delete ${name}`,
    deleteTitle: (name: string) => `Delete “${name}” from this browser?`,
    deleteBody: 'Copies that you saved elsewhere stay. This one cannot be brought back.',
    deleteConfirm: (name: string) => `Delete “${name}”`,
  },

  privacy: {
    title: 'How to check that nothing is sent',
    intro: 'You do not have to believe it. Three ways to see for yourself:',
    policyTitle: 'Read the policy',
    policy:
      'Open the page source (Ctrl+U). The line “Content-Security-Policy” says connect-src ‘none’: the browser refuses every connection that this page could try to make.',
    tryTitle: 'Try to break it',
    try: 'Open the developer tools (F12), choose Console and run this. The browser refuses it and names the policy.',
    watchTitle: 'Watch, or pull the plug',
    watch:
      'In the developer tools choose Network, then open, check and convert an image: no request appears. Or switch the network off: everything goes on working.',
  },

  bar: {
    home: 'qcow2 workbench: Start screen',
    files: 'Open images',
    openAnother: 'Open another image',
    closeFile: (name: string) => `Close ${name}`,
    menu: 'Menu',
    help: 'Keyboard shortcuts',
    busy: (percent: number) => `Working, ${percent} %`,
    skip: 'Skip to content',
  },

  drop: {
    one: (name: string) => `Open ${name}`,
    many: (n: number) => `Open ${count(n, 'image', 'images')}`,
    some: 'Open as disk image',
    note: 'Opened for reading only. The file is not changed.',
  },

  menu: {
    language: 'Language',
    theme: 'Appearance',
    themes: { system: 'System', light: 'Light', dark: 'Dark' },
    palette: 'Find an action…',
    settings: 'Settings…',
    shortcuts: 'Keyboard shortcuts',
    install: 'Install as an app',
    installNote: 'Opens images by double click, works offline',
    about: 'About',
  },

  offline: {
    ready: 'Ready to work offline',
    update: 'A new version is ready.',
    updateBusy: 'A new version is ready. It can be loaded when the running work is done.',
    reload: 'Reload now',
    later: 'Later',
  },

  engine: {
    died: 'The engine stopped unexpectedly. No file is half changed.',
    restart: 'Start again',
    copyDetails: 'Copy details',
    copied: 'Copied',
    dismiss: 'Dismiss',
  },

  loadFailed: 'A part of this app could not be loaded. Reload the page.',
  loading: 'Loading…',
  close: 'Close',
  cancel: 'Cancel',
  copy: 'Copy',
};

/** What every language has to say on the first screen. */
export type Text = typeof en;
