import { type Remote, wrap } from 'comlink';
import type { Storage } from '../../src/engine/storage/storage.ts';
import { carryErrors } from '../../src/worker/wire.ts';
import type { OpfsHost } from './opfs-host.worker.ts';

/** Files in a folder of their own in the browser's private storage. */
export class Scratch {
  readonly #name: string;
  #next = 1;

  constructor(name: string) {
    this.#name = `test-${name}`;
  }

  async folder(): Promise<FileSystemDirectoryHandle> {
    const root = await navigator.storage.getDirectory();
    return root.getDirectoryHandle(this.#name, { create: true });
  }

  /** A new file with this content. */
  async file(
    content: Uint8Array<ArrayBuffer>,
    name = `${this.#next++}`,
  ): Promise<FileSystemFileHandle> {
    const handle = await (await this.folder()).getFileHandle(name, { create: true });
    const stream = await handle.createWritable();
    await stream.write(content);
    await stream.close();
    return handle;
  }

  /** The names of all files, the browser's own half-written ones included. */
  async names(): Promise<string[]> {
    const names: string[] = [];
    for await (const name of (await this.folder()).keys()) names.push(name);
    return names.sort();
  }

  async clear(): Promise<void> {
    const root = await navigator.storage.getDirectory();
    await root.removeEntry(this.#name, { recursive: true }).catch(() => undefined);
  }
}

/** An OpfsStorage in a worker, as a storage on the page: synchronous handles are for workers only. */
export class RemoteOpfs implements Storage {
  readonly name: string;
  readonly writable: boolean;
  readonly #host: Remote<OpfsHost>;
  readonly #id: number;
  size: number;

  private constructor(
    host: Remote<OpfsHost>,
    id: number,
    name: string,
    writable: boolean,
    size: number,
  ) {
    this.#host = host;
    this.#id = id;
    this.name = name;
    this.writable = writable;
    this.size = size;
  }

  static async open(
    host: Remote<OpfsHost>,
    file: FileSystemFileHandle,
    writable = true,
  ): Promise<RemoteOpfs> {
    const id = await host.open(file, writable);
    return new RemoteOpfs(host, id, file.name, writable, await host.size(id));
  }

  async read(offset: number, target: Uint8Array): Promise<number> {
    const answer = await this.#host.read(this.#id, offset, target.slice());
    target.set(answer.target);
    return answer.count;
  }

  async write(offset: number, source: Uint8Array): Promise<void> {
    await this.#host.write(this.#id, offset, source.slice());
    this.size = await this.#host.size(this.#id);
  }

  async resize(size: number): Promise<void> {
    await this.#host.resize(this.#id, size);
    this.size = await this.#host.size(this.#id);
  }

  flush(): Promise<void> {
    return this.#host.flush(this.#id);
  }

  close(): Promise<void> {
    return this.#host.close(this.#id);
  }
}

/** A worker that holds storages. */
export function startOpfsHost(): { worker: Worker; host: Remote<OpfsHost> } {
  carryErrors();
  const worker = new Worker(new URL('./opfs-host.worker.ts', import.meta.url), { type: 'module' });
  return { worker, host: wrap<OpfsHost>(worker) };
}
