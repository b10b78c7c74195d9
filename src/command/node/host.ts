/** The command line's world under Node: the file system and the two streams of the process. */
import { readFile } from 'node:fs/promises';
import {
  Change,
  type CodecPool,
  forgetJournal,
  ImageError,
  offerBlockCipher,
  recover,
  type Scratch,
  type Storage,
} from '../../engine/index.ts';
import type { CommandHost } from '../host.ts';
import { recoveryText } from '../recovery.ts';
import { nodeBlockCipher } from './block-cipher.ts';
import { openFailure } from './errno.ts';
import { FileStorage } from './file-storage.ts';
import { nativeHasher } from './hasher.ts';
import { hasJournal, journalPlace, openScratch, realPath } from './journal-file.ts';
import { openTemporary, temporaryRoom } from './temporary.ts';

export class NodeHost implements CommandHost {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly hasher = nativeHasher;
  readonly pool: CodecPool | undefined;
  readonly scratch: Scratch = {
    open: () => openTemporary(),
    limit: temporaryRoom(),
  };
  /** Files that are open for reading, and how often: none of them may become a target. */
  readonly #sources = new Map<string, number>();

  constructor(stdout: (text: string) => void, stderr: (text: string) => void, pool?: CodecPool) {
    this.stdout = stdout;
    this.stderr = stderr;
    this.pool = pool;
    offerBlockCipher(nodeBlockCipher);
  }

  async open(name: string): Promise<Storage> {
    await this.#recover(name);
    const storage = await FileStorage.open(name, 'read');
    const { identity } = storage;
    this.#sources.set(identity, (this.#sources.get(identity) ?? 0) + 1);
    storage.onClose = () => {
      const left = (this.#sources.get(identity) ?? 1) - 1;
      if (left > 0) this.#sources.set(identity, left);
      else this.#sources.delete(identity);
    };
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
    try {
      await this.#forget(name);
      await storage.resize(0);
      return storage;
    } catch (error) {
      await storage.close();
      throw error;
    }
  }

  async modify(name: string): Promise<Storage> {
    await this.#recover(name);
    return this.#openTarget(name, 'modify');
  }

  async change(name: string): Promise<Change> {
    const storage = await this.modify(name);
    const path = realPath(name) ?? name;
    return new Change(storage, {
      journal: journalPlace(path),
      scratch: () => openScratch(path),
      freshInPlace: true,
    });
  }

  /** The file is about to be emptied: a change of it that was interrupted is of no use any more. */
  async #forget(name: string): Promise<void> {
    const path = realPath(name);
    if (path !== undefined && hasJournal(path)) await forgetJournal(journalPlace(path));
  }

  /** Finishes or drops a change of the file that was interrupted, and says so. */
  async #recover(name: string): Promise<void> {
    const path = realPath(name);
    if (path === undefined || !hasJournal(path)) return;
    const recovery = await recover(journalPlace(path), () => FileStorage.open(path, 'modify'));
    const text = recoveryText(name, recovery);
    if (text !== undefined) this.stderr(`qemu-img: ${text}\n`);
  }

  async #openTarget(name: string, mode: 'create' | 'modify'): Promise<FileStorage> {
    const storage = await FileStorage.open(name, mode);
    if (!this.#sources.has(storage.identity)) return storage;
    await storage.close();
    throw new ImageError('same-file', { name });
  }
}
