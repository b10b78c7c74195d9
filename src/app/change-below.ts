/** Changes that concern two images: another base below one, and what one commits into its base. */
import type { Edit, Foresight, FormatName } from '../worker/api.ts';
import { addEdits, foresee } from './changes.ts';
import { chooseFiles, type Chosen, isSameFile } from './files.ts';
import { images } from './images.svelte.ts';
import type { OpenImage } from './open-image.svelte.ts';

/** Whether the chain of an image has this file below it. */
export function sitsOn(overlay: OpenImage, { chosen }: OpenImage): boolean {
  const { name, size, lastModified } = chosen.file;
  return overlay.chain.some(
    ({ kind, file }) =>
      kind === 'backing' &&
      file?.name === name &&
      file.size === size &&
      file.modified === lastModified,
  );
}

/** Open images that have this one below them, as far as their chains were given. */
export function overlaysOf(base: OpenImage): OpenImage[] {
  return images.list.filter((one) => one !== base && sitsOn(one, base));
}

/** An open image that might become the base, and why it cannot; '' when it can. */
export interface BaseChoice {
  image: OpenImage;
  problem: '' | 'closed' | 'above' | 'unsaved' | 'incomplete';
}

/** All images that are there but this one. */
export function baseChoices(image: OpenImage): BaseChoice[] {
  const others = images.list.filter((one) => one !== image);
  return others.map((one) => {
    if (one.opened === undefined) return { image: one, problem: 'closed' };
    if (sitsOn(one, image)) return { image: one, problem: 'above' };
    if (one.unsaved > 0) return { image: one, problem: 'unsaved' };
    return { image: one, problem: one.gap === undefined ? '' : 'incomplete' };
  });
}

/** Opens another image while this one stays on the screen. Needs a click or key. */
export async function openBeside(image: OpenImage): Promise<OpenImage | undefined> {
  const [chosen] = await chooseFiles(false);
  return chosen && openOther(image, chosen);
}

async function openOther(image: OpenImage, chosen: Chosen): Promise<OpenImage | undefined> {
  await images.open([chosen]);
  const opened = images.current;
  images.show(image);
  return opened === image ? undefined : opened;
}

/** The edit that puts an image over another one, or over nothing. */
export function rebaseEdit(
  base: OpenImage | undefined,
  name: string,
  compress: boolean,
): Edit | undefined {
  if (base === undefined) return { kind: 'rebase', to: undefined, compress };
  const { opened, info } = base;
  if (opened === undefined || info === undefined || name === '') return undefined;
  return { kind: 'rebase', to: { image: opened.id, name, format: info.format }, compress };
}

/** Formats that the image below may be recorded as, the usual ones first. */
export const BACKING_FORMATS: readonly FormatName[] = [
  ...(['qcow2', 'raw', 'vmdk', 'qed', 'vdi', 'vpc', 'vhdx', 'parallels', 'qcow', 'luks'] as const),
];

/** The file right below an image, as it was given for it; undefined while it was not. */
function givenBase({ chain, files }: OpenImage): Chosen | undefined {
  const link = chain.find(({ kind, depth }) => kind === 'backing' && depth === 1);
  return files.given.find(({ key }) => key === link?.key)?.chosen;
}

/** Whether the image below can be opened by itself, so that it can take over what lies above it. */
export function canLeadToBase(overlay: OpenImage): boolean {
  return givenBase(overlay) !== undefined;
}

/** Opens the image below and adds the commit to its changes. Shows it then. */
export async function commitIntoBase(overlay: OpenImage): Promise<void> {
  const chosen = givenBase(overlay);
  if (chosen === undefined) return;
  const known = images.list.find((one) => isSameFile(one.chosen.file, chosen.file));
  const base = known ?? (await openOther(overlay, chosen));
  if (base?.opened === undefined) return;
  await commitFrom(base, overlay);
  images.show(base);
  images.showPanel('changes');
}

/** Adds to the changes of an image that it takes over an overlay. */
export async function commitFrom(base: OpenImage, overlay: OpenImage): Promise<boolean> {
  if (overlay.opened === undefined) return false;
  return addEdits(base, [{ kind: 'commit', from: overlay.opened.id }]);
}

/** Images whose content the last saved changes have taken over, as long as they are open. */
export function committedInto({ changes }: OpenImage): OpenImage[] {
  return images.list.filter(({ key }) => changes.committed.includes(key));
}

/**
 * After a commit was saved: the overlay, over the base as it is now, gets emptied as a change. Where
 * the guest would notice, the person is asked.
 */
export async function emptyAfterCommit(base: OpenImage, overlay: OpenImage): Promise<void> {
  const { given } = overlay.files;
  const { name } = base.chosen.file;
  overlay.files.given = given.map((one) =>
    one.chosen.file.name === name ? { ...one, chosen: base.chosen } : one,
  );
  base.changes.committed = base.changes.committed.filter((key) => key !== overlay.key);
  await images.readAgain(overlay);
  images.show(overlay);
  images.showPanel('changes');
  const found = await foresee(overlay, EMPTY).catch(() => undefined);
  if (found?.different === 0) await addEdits(overlay, [EMPTY]);
  else overlay.changes.emptying = found ?? NOTHING_KNOWN;
}

const EMPTY: Edit = { kind: 'empty' };
const NOTHING_KNOWN: Foresight = {
  ...{ repair: undefined, freed: undefined, resize: undefined },
  ...{ takes: undefined, different: undefined },
};

/** Empties it, whatever the guest reads then. */
export async function emptyAnyway(overlay: OpenImage): Promise<void> {
  overlay.changes.emptying = undefined;
  await addEdits(overlay, [EMPTY]);
}
