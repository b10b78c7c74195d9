/** What this browser can do for the app, by the features that are there, never by its name. */
import { engine } from './engine.svelte.ts';
import { hasFolderPicker, hasOpenPicker, hasSavePicker } from './files.ts';
import { offline } from './offline.svelte.ts';
import { words } from './words.svelte.ts';

/**
 * - `full`: files are changed where they lie, results go anywhere
 * - `copy`: nothing is written into the person's files; results wait in the browser for a download
 * - `small`: nothing can be kept in the browser, results go straight to a chosen place
 * - `least`: neither
 */
export type Tier = 'full' | 'copy' | 'small' | 'least';

export interface Ability {
  id: keyof ReturnType<typeof aboutText>['can'];
  there: boolean;
  /** Yes, or what there is instead. */
  state: string;
}

function aboutText() {
  return words.part('dialogs').about;
}

function canStore(): boolean {
  const { facts } = engine;
  return facts?.privateStorage === true && !facts.privateStorageInMemory;
}

/** Whether a file that was opened can be changed in its place. */
export function canChangeFiles(): boolean {
  return hasOpenPicker() && 'createWritable' in FileSystemFileHandle.prototype;
}

export function tierOf(): Tier {
  if (hasSavePicker()) return canStore() ? 'full' : 'small';
  return canStore() ? 'copy' : 'least';
}

/** One line each, in the order in which a person meets them. */
export function abilities(): Ability[] {
  const text = aboutText();
  const is = (id: Ability['id'], there: boolean, instead = text.no): Ability => {
    return { id, there, state: there ? text.yes : instead };
  };
  const memory = engine.facts?.privateStorageInMemory === true;
  return [
    is('pick', hasOpenPicker(), text.instead.pick),
    is('folder', hasFolderPicker(), text.instead.folder),
    is('launch', 'launchQueue' in globalThis, text.instead.launch),
    is('save', hasSavePicker(), text.instead.save),
    is('change', canChangeFiles(), text.instead.change),
    is('store', canStore(), memory ? text.inMemory : text.no),
    is('offline', offline.ready, text.notYet),
    is('wake', 'wakeLock' in navigator),
    is('notify', 'Notification' in globalThis),
  ];
}
