/** Passphrases of an encrypted image that are added and taken away as edits of it. */
import {
  changeLuksKeys,
  changeVolumeKeys,
  type KeyChange,
  LUKS_ITER_TIME,
  LuksVolume,
  Qcow2Image,
} from '../engine/index.ts';
import type { Edit } from './api.ts';
import { type Done, type EditPlace, refuseFormat } from './edit-place.ts';

type Addition = Extract<Edit, { kind: 'add-passphrase' }>;

/**
 * One more passphrase. Both that are given are overwritten with zeros.
 * @throws ImageError key-slot, wrong-passphrase, edit-refused and those of its LUKS header
 */
export async function addPassphrase(
  place: EditPlace,
  { passphrase, current, slot }: Addition,
): Promise<Done> {
  return changeSlots(place, {
    ...{ kind: 'add', slot, current, iterTime: LUKS_ITER_TIME, force: false },
    added: () => passphrase,
  });
}

/** One key slot less; never the last. @throws ImageError key-slot, edit-refused */
export async function removePassphrase(place: EditPlace, slot: number): Promise<Done> {
  return changeSlots(place, { kind: 'erase', slot, passphrase: undefined, force: false });
}

async function changeSlots(
  { image, overlay, context }: EditPlace,
  change: KeyChange,
): Promise<Done> {
  const disk = await context.images.openForChange(image, overlay);
  if (disk instanceof LuksVolume) await changeVolumeKeys(disk, change);
  else if (disk instanceof Qcow2Image && disk.header.luks !== undefined) {
    await changeLuksKeys(disk, change);
  } else refuseFormat(disk.format);
  return {};
}

/** The edit as it may be kept and told: without passphrases. */
export function withoutSecrets(edit: Edit): Edit {
  if (edit.kind !== 'add-passphrase') return edit;
  return { ...edit, passphrase: new Uint8Array(0), current: new Uint8Array(0) };
}

/** Overwrites the passphrases of an edit. */
export function wipeSecrets(edit: Edit): void {
  if (edit.kind !== 'add-passphrase') return;
  edit.passphrase.fill(0);
  edit.current.fill(0);
}
