/** Chromium's event, which the standard library of types does not know. */
interface InstallPrompt extends Event {
  prompt(): Promise<{ outcome: string }>;
}

/** Offers to install the app: an entry of the menu, never a nag. */
class Install {
  #event = $state.raw<InstallPrompt>();

  get possible(): boolean {
    return this.#event !== undefined;
  }

  start(): void {
    addEventListener('beforeinstallprompt', (event) => {
      event.preventDefault();
      this.#event = event as InstallPrompt;
    });
    addEventListener('appinstalled', () => {
      this.#event = undefined;
    });
  }

  /** Shows the browser's own question; an event can be used once only. */
  async ask(): Promise<void> {
    const event = this.#event;
    this.#event = undefined;
    await event?.prompt();
  }
}

export const install = new Install();
