import { modifiedOf, type Storage } from './storage.ts';

/** A storage that passes everything on; others change what they are about. */
export class PassingStorage implements Storage {
  protected readonly inner: Storage;

  constructor(inner: Storage) {
    this.inner = inner;
  }

  get name(): string {
    return this.inner.name;
  }

  get size(): number {
    return this.inner.size;
  }

  get writable(): boolean {
    return this.inner.writable;
  }

  read(offset: number, target: Uint8Array): Promise<number> {
    return this.inner.read(offset, target);
  }

  write(offset: number, source: Uint8Array): Promise<void> {
    return this.inner.write(offset, source);
  }

  resize(size: number): Promise<void> {
    return this.inner.resize(size);
  }

  flush(): Promise<void> {
    return this.inner.flush();
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  modified(): Promise<number | undefined> {
    return modifiedOf(this.inner);
  }
}
