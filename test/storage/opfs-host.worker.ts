/** Holds storages that exist in workers only, for the tests on the page. */
import { expose } from 'comlink';
import { OpfsStorage } from '../../src/engine/storage/opfs.ts';
import { carryErrors } from '../../src/worker/wire.ts';

const storages = new Map<number, OpfsStorage>();
let next = 1;

function at(id: number): OpfsStorage {
  const storage = storages.get(id);
  if (storage === undefined) throw new Error(`no storage ${id}`);
  return storage;
}

const api = {
  async open(file: FileSystemFileHandle, writable: boolean): Promise<number> {
    storages.set(next, await OpfsStorage.open(file, { writable }));
    return next++;
  },
  size: (id: number) => at(id).size,
  /** The whole target comes back, so that the page sees which bytes were filled. */
  async read(id: number, offset: number, target: Uint8Array) {
    return { count: await at(id).read(offset, target), target };
  },
  write: (id: number, offset: number, source: Uint8Array) => at(id).write(offset, source),
  resize: (id: number, size: number) => at(id).resize(size),
  flush: (id: number) => at(id).flush(),
  close: (id: number) => at(id).close(),
};

export type OpfsHost = typeof api;

carryErrors();
expose(api);
