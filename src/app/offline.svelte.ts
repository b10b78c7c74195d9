/** The app without network, and how a new version comes in: see src/sw/sw.ts for the protocol. */
class Offline {
  /** Every file of the app is kept here; the network is not needed any more. */
  ready = $state(false);
  /** Became ready in this visit: worth a word, once. */
  justReady = $state(false);
  #waiting = $state.raw<ServiceWorker>();
  /** Another tab let the new version in; this one goes on with the old one until it is reloaded. */
  #replaced = $state(false);
  #dismissed = $state(false);
  #asked = false;

  /** A new version waits for a reload, and the person has not said «later». */
  get update(): boolean {
    return (this.#waiting !== undefined || this.#replaced) && !this.#dismissed;
  }

  later(): void {
    this.#dismissed = true;
  }

  /** Lets the new version take over and loads it. Callers see to it that no work is running. */
  reload(): void {
    this.#asked = true;
    if (this.#replaced) location.reload();
    else this.#waiting?.postMessage({ type: 'SKIP_WAITING' });
  }

  /** Registers the service worker; only the built app has one. */
  async start(): Promise<void> {
    const container = 'serviceWorker' in navigator ? navigator.serviceWorker : undefined;
    if (container === undefined || import.meta.env.DEV) return;
    // The first worker claims the page too: only a change of versions needs a reload.
    let controlled = container.controller !== null;
    container.addEventListener('controllerchange', () => {
      const changed = controlled;
      controlled = true;
      if (!changed) return;
      if (this.#asked) location.reload();
      // Asked for in another tab: work may be running in this one.
      else this.#replaced = true;
    });
    try {
      const registration = await container.register('./sw.js');
      this.#watch(registration, controlled);
    } catch {
      // Not a secure context, or switched off: the app works, but needs the network to load.
    }
  }

  #watch(registration: ServiceWorkerRegistration, controlled: boolean): void {
    const look = (): void => {
      if (registration.active === null) return;
      if (registration.waiting !== null) this.#waiting = registration.waiting;
      else if (registration.active.state === 'activated') {
        if (!this.ready) this.justReady = !controlled;
        this.ready = true;
      }
    };
    const follow = (worker: ServiceWorker | null): void => {
      worker?.addEventListener('statechange', look);
    };
    look();
    follow(registration.installing);
    follow(registration.active);
    registration.addEventListener('updatefound', () => follow(registration.installing));
    if (registration.waiting !== null) this.ready = true;
  }
}

export const offline = new Offline();
