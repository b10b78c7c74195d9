/** English: the list of actions that is opened by Ctrl+K. */
export const enPalette = {
  title: 'Find an action',
  placeholder: 'What would you like to do?',
  list: 'Actions',
  none: (query: string) => `Nothing here is called “${query}”.`,
  found: (n: number) => (n === 1 ? '1 action' : `${n} actions`),
  hint: '↑ ↓ to choose, Enter to do it, Esc to close',

  groups: {
    image: 'This image',
    panel: 'Panel',
    open: 'Open image',
    recent: 'Recent',
    stored: 'In this browser',
    app: 'App',
    settings: 'Settings',
  },

  check: 'Run the check',
  repair: 'Plan a repair',
  convertTo: (format: string) => `Convert to ${format}`,
  convertFor: (name: string) => `Convert for ${name}`,
  undo: 'Take the last change back',
  redo: 'Make the change again',
  save: 'Save the changes…',
  report: 'Save a report of this image',
  copyFacts: 'Copy all facts as text',
  copyInfo: 'Copy qemu-img info as JSON',
  readAgain: 'Read the file again',
  close: (name: string) => `Close ${name}`,

  start: 'Go to the start screen',
  sample: 'Try the sample',
  privacy: 'How to check that nothing is sent',
  theme: (name: string) => `Appearance: ${name}`,
  units: (name: string) => `Sizes in ${name}`,
  motion: (name: string) => `Motion: ${name}`,
};

export type PaletteText = typeof enPalette;
