/** The command line's world under Node: the file system and the two streams of the process. */
import { readFile } from 'node:fs/promises';
import { ImageError, offerBlockCipher, type Storage } from '../../engine/index.ts';
import type { CommandHost } from '../host.ts';
import { nodeBlockCipher } from './block-cipher.ts';
import { openFailure } from './errno.ts';
import { FileStorage } from './file-storage.ts';
import { nativeHasher } from './hasher.ts';

export class NodeHost implements CommandHost {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly hasher = nativeHasher;
  /** Files that were opened for reading: none of them may become a target. */
  readonly #sources = new Set<string>();

  constructor(stdout: (text: string) => void, stderr: (text: string) => void) {
    this.stdout = stdout;
    this.stderr = stderr;
    offerBlockCipher(nodeBlockCipher);
  }

  async open(name: string): Promise<Storage> {
    const storage = await FileStorage.open(name, 'read');
    this.#sources.add(storage.identity);
    return storage;
  }

  async contents(name: string): Promise<Uint8Array<ArrayBuffer>> {
    try {
      return new Uint8Array(await readFile(name));
    } catch (error) {
      throw openFailure(name, error);
    }
  }

  async create(name: string): Promise<Storage> {
    const storage = await this.#openTarget(name, 'create');
    await storage.resize(0);
    return storage;
  }

  modify(name: string): Promise<Storage> {
    return this.#openTarget(name, 'modify');
  }

  async #openTarget(name: string, mode: 'create' | 'modify'): Promise<FileStorage> {
    const storage = await FileStorage.open(name, mode);
    if (!this.#sources.has(storage.identity)) return storage;
    await storage.close();
    throw new ImageError('same-file', { name });
  }
}
