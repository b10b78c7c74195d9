/** Files that another app shared with this one: the service worker has taken them. */
import { images } from './images.svelte.ts';

/** Milliseconds until an answer that does not come is no longer waited for. */
const PATIENCE = 10_000;

class Shared {
  /** Why there is nothing to open. */
  trouble = $state<'large' | 'failed'>();

  /** Opens what was shared, once: a reload has nothing more to take. */
  async open(): Promise<void> {
    const outcome = new URLSearchParams(location.search).get('shared');
    if (outcome === null) return;
    history.replaceState(history.state, '', location.pathname + location.hash);
    const files = outcome === 'ok' ? await ask() : [];
    if (files.length === 0) this.trouble = outcome === 'large' ? 'large' : 'failed';
    else await images.open(files.map((file) => ({ file, handle: undefined })));
  }

  dismiss(): void {
    this.trouble = undefined;
  }
}

async function ask(): Promise<File[]> {
  const worker = (await navigator.serviceWorker.ready).active;
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve([]), PATIENCE);
    port1.onmessage = ({ data }: MessageEvent<{ files: File[] }>) => {
      clearTimeout(timer);
      port1.close();
      resolve(data.files);
    };
    worker?.postMessage({ type: 'SHARED' }, [port2]);
  });
}

export const shared = new Shared();
