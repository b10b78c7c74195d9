/** Word of the end of long work while nobody looks. Never asked for but by a tick of the person. */
import { settings } from './settings.svelte.ts';
import { words } from './words.svelte.ts';

class Notify {
  /** The browser was asked and does not allow it. */
  refused = $state(false);

  /** Whether this browser can tell anything at all. */
  get possible(): boolean {
    return 'Notification' in globalThis;
  }

  /** Whether it will be told. */
  get wanted(): boolean {
    return this.possible && settings.notify && Notification.permission === 'granted';
  }

  /** Switches it on or off; on may bring the browser's own question, so this needs a click. */
  async want(wanted: boolean): Promise<void> {
    this.refused = false;
    settings.notify = wanted;
    if (!wanted) return;
    const permission = await Notification.requestPermission();
    if (permission === 'granted') return;
    settings.notify = false;
    this.refused = true;
  }
}

export const notify = new Notify();

/** Tells it, when the person wanted that and looks elsewhere now. */
export function tellOfEnd(what: string, isLong: boolean): void {
  if (!isLong || !notify.wanted || document.visibilityState === 'visible') return;
  try {
    const shown = new Notification(what, { body: words.shell.app, icon: './icons/icon-192.png' });
    shown.onclick = () => {
      focus();
      shown.close();
    };
  } catch {
    // Chromium on Android shows them from service workers only: the title says it, too.
  }
}
