import type { EngineFacts } from '../worker/api.ts';
import type { EngineClient } from '../worker/client.ts';

/** The engine's worker as the app sees it: there when needed, and honest about its death. */
class Engine {
  #client: Promise<EngineClient> | undefined;
  #deathListeners: (() => void)[] = [];
  /** What the worker can do here; known soon after the first paint. */
  facts = $state.raw<EngineFacts>();
  /** Why the worker died, until somebody has started again. */
  death = $state<string>();

  /** The client, loaded at the first call. */
  client(): Promise<EngineClient> {
    this.#client ??= this.#load();
    return this.#client;
  }

  /** Starts the worker ahead of the first file. */
  async warmUp(): Promise<void> {
    const client = await this.client();
    client.warmUp();
    this.facts = await client.facts();
  }

  /** Calls `listener` whenever the worker died. */
  onDeath(listener: () => void): void {
    this.#deathListeners.push(listener);
  }

  /** Puts the notice of a death away and starts a new worker. */
  async startAgain(): Promise<void> {
    this.death = undefined;
    await this.warmUp();
  }

  async #load(): Promise<EngineClient> {
    const { EngineClient } = await import('../worker/client.ts');
    const client = new EngineClient();
    client.onDeath((error) => {
      this.death = `${error.code} ${JSON.stringify(error.details)}\n${error.stack ?? ''}`;
      for (const listener of this.#deathListeners) listener();
    });
    return client;
  }
}

export const engine = new Engine();
