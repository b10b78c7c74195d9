/** Lists of checksums among the files that are dropped or chosen: they go with an image. */
import { LONGEST_LIST, takeList } from './checksum.ts';
import { engine } from './engine.svelte.ts';
import { IMAGE_SUFFIXES, type Chosen } from './files.ts';
import { images } from './images.svelte.ts';
import { LIST_NAME } from './list-name.ts';
import { words } from './words.svelte.ts';

/**
 * Opens files as images; lists of checksums among them are compared with the image on the screen.
 * A list without any image is opened like everything else: what it is will be said.
 */
export async function openFiles(chosen: Chosen[]): Promise<void> {
  const isShown = images.current?.phase === 'open';
  const asked = await Promise.all(chosen.map((one) => isList(one.file)));
  const lists = chosen.filter((_, index) => asked[index] === true);
  const disks = chosen.filter((_, index) => asked[index] !== true);
  if (lists.length === 0 || (disks.length === 0 && !isShown)) return images.open(chosen);
  if (disks.length > 0) await images.open(disks);
  const image = images.current;
  const list = lists.at(-1);
  if (image?.phase !== 'open' || list === undefined) return;
  await takeList(image, list.file);
  images.showPanel('checksum');
}

/** What a drop does while a list is waited for; undefined otherwise. */
export function dropLabel(): string | undefined {
  return images.current?.panel === 'checksum' ? words.image.checksum.dropList : undefined;
}

/** By its name; by its content too where one is waited for. */
async function isList(file: File): Promise<boolean> {
  if (file.size > LONGEST_LIST || file.size === 0) return false;
  if (LIST_NAME.test(file.name)) return true;
  const name = file.name.toLowerCase();
  if (dropLabel() === undefined || IMAGE_SUFFIXES.some((suffix) => name.endsWith(suffix))) {
    return false;
  }
  const text = await file.text();
  const { expectation } = await (await engine.client()).askList({ text, name, digests: {} });
  return expectation.kind !== 'none';
}
