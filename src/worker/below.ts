/** The files of a chain below an image that is about to get another one. */
import { ImageError } from '../engine/index.ts';
import type { Edit, FormatName, ImageId } from './api.ts';
import { keyOf } from './given-files.ts';
import type { Cipher, Images } from './images.ts';
import { baseName } from './reference.ts';
import { isSameFile } from './same-file.ts';

/** What an edit puts below an image: in its place of the chain, and what unlocks it. */
export interface Below {
  readonly given: ReadonlyMap<string, File>;
  readonly ciphers: ReadonlyMap<File, Cipher>;
}

type Rebase = Extract<Edit, { kind: 'rebase' }>;

/** The file that lies below now, when it still goes by the new name. */
export function fileBelow(
  images: Images,
  image: ImageId,
  name: string,
  format: FormatName | '',
): Below {
  const { asked, disk } = images.chain(image);
  const from = disk.storage.name;
  const old = asked.find(({ request }) => request.kind === 'backing' && request.from === from);
  const given = new Map<string, File>();
  const isSame = old?.file !== undefined && old.file.name === baseName(name);
  const request = { kind: 'backing', name, format, from } as const;
  if (isSame && old.file !== undefined) given.set(keyOf(request), old.file);
  return { given, ciphers: new Map() };
}

/**
 * The files of an image and of its chain, each where it is once that image lies below `image`.
 * @throws ImageError backing-loop where `image` is among them; edit-refused for one that is wrapped
 */
export async function filesBelow(
  images: Images,
  image: ImageId,
  { image: id, name }: NonNullable<Rebase['to']>,
): Promise<Below> {
  const top = images.chain(image);
  const { file, asked, ciphers, wrapped } = images.chain(id);
  if (wrapped !== undefined) {
    throw new ImageError('edit-refused', { reason: 'wrapped', name: file.name });
  }
  const from = top.disk.storage.name;
  const names = new ChainNames(file, [
    from,
    ...top.asked
      .filter(({ request }) => request.kind !== 'backing' && request.from === from)
      .flatMap(({ storage }) => storage?.name ?? []),
  ]);
  const given = new Map([[keyOf({ kind: 'backing', from, name }), file]]);
  for (const { request, file: other, storage } of asked) {
    if (other === undefined || storage === undefined) continue;
    given.set(keyOf({ ...request, from: names.now(request.from) }), other);
    names.add(other, storage.name);
  }
  for (const one of [file, ...given.values()]) {
    if (top.wrapped === undefined && (await isSameFile(one, top.file))) {
      throw new ImageError('backing-loop', { name: top.file.name });
    }
  }
  return { given, ciphers };
}

/** What files are called in a chain, where another file may have their name already. */
class ChainNames {
  readonly #taken: Set<string>;
  readonly #now = new Map<string, string>();

  constructor(file: File, taken: readonly string[]) {
    this.#taken = new Set(taken);
    this.add(file, file.name);
  }

  add(file: File, old: string): void {
    let name = file.name;
    for (let count = 2; this.#taken.has(name); count++) name = `${file.name} (${count})`;
    this.#taken.add(name);
    this.#now.set(old, name);
  }

  now(old: string): string {
    return this.#now.get(old) ?? old;
  }
}

/**
 * The place of an image in the chain of another one, and its format by itself.
 * @throws ImageError edit-refused where it is not in it
 */
export async function findBelow(
  images: Images,
  above: ImageId,
  image: ImageId,
): Promise<{ key: string; format: FormatName }> {
  const { file, disk, wrapped } = images.chain(image);
  for (const { request, storage, key, file: other } of images.chain(above).asked) {
    const isOpen = request.kind === 'backing' && storage !== undefined && other !== undefined;
    if (wrapped === undefined && isOpen && (await isSameFile(other, file))) {
      return { key, format: disk.format };
    }
  }
  throw new ImageError('edit-refused', { reason: 'not-below', name: file.name });
}
