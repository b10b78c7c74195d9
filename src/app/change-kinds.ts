/** The changes that an image can have, and why not those that it cannot have. */
import type { ChainFile, LuksInfo } from '../worker/api.ts';
import { overlaysOf } from './change-below.ts';
import type { OpenImage } from './open-image.svelte.ts';
import { bytes } from './units.ts';
import { words } from './words.svelte.ts';

export const CHANGES = [
  'resize',
  'rebase',
  'commit',
  'backing',
  'options',
  'bitmaps',
  'keys',
  'file',
] as const;
export type ChangeKind = (typeof CHANGES)[number];

/** A line of the menu. */
export interface ChangeRow {
  kind: ChangeKind;
  /** What it is at present; '' where that says nothing. */
  value: string;
  /** Why it cannot be done; '' when it can. */
  reason: string;
}

/** Those that qemu-img resizes. */
const RESIZABLE: readonly string[] = ['raw', 'qcow2', 'qed', 'luks'];
const REBASABLE: readonly string[] = ['qcow2', 'qed'];

export function changeRows(image: OpenImage): ChangeRow[] {
  return CHANGES.map((kind) => ({
    kind,
    value: valueOf(image, kind),
    reason: reasonAgainst(image, kind),
  }));
}

/** The LUKS header of an image, in its own file or all of it; undefined without one. */
export function luksOf(image: OpenImage): LuksInfo | undefined {
  return image.info?.qcow2?.luks ?? image.chain[0]?.luks;
}

/** The image below; undefined without one. */
export function backingOf({ chain }: OpenImage): ChainFile | undefined {
  return chain.find(({ kind, depth }) => kind === 'backing' && depth === 1);
}

function valueOf(image: OpenImage, kind: ChangeKind): string {
  const { info } = image;
  const text = words.part('changing').values;
  if (info === undefined) return '';
  switch (kind) {
    case 'resize':
      return bytes(info.virtualSize, words.tag);
    case 'rebase':
      return info.qcow2 === undefined ? '' : (info.backing?.name ?? text.noBase);
    case 'backing':
      return info.backing?.format ?? '';
    case 'options':
      return info.qcow2 === undefined ? '' : `compat ${info.qcow2.compat}`;
    case 'bitmaps': {
      const count = info.qcow2?.bitmaps.length ?? 0;
      return count === 0 ? '' : text.bitmaps(count);
    }
    case 'keys': {
      const slots = luksOf(image)?.slots;
      return slots ? text.slots(slots.filter(({ active }) => active).length, slots.length) : '';
    }
    case 'commit':
    case 'file':
      return '';
  }
}

function reasonAgainst(image: OpenImage, kind: ChangeKind): string {
  const { info } = image;
  const text = words.part('changing').reasons;
  if (info === undefined) return text.format('');
  const format = info.format;
  const missing = image.gap === undefined ? '' : text.gap(image.gap.name);
  switch (kind) {
    case 'resize':
      if (!RESIZABLE.includes(format)) return text.resize(format);
      return info.qcow2?.dataFile === undefined ? missing : text.dataFile;
    case 'rebase':
      return REBASABLE.includes(format) ? missing : text.rebase(format);
    case 'commit':
      if (info.backing === undefined && overlaysOf(image).length === 0) return text.commit;
      return missing;
    case 'backing':
      if (!REBASABLE.includes(format)) return text.rebase(format);
      return info.backing === undefined ? text.noBase : '';
    case 'options':
      return info.qcow2 === undefined ? text.format(format) : '';
    case 'bitmaps':
      if (info.qcow2 === undefined) return text.format(format);
      return info.qcow2.version < 3 ? text.version : '';
    case 'keys':
      if (luksOf(image) === undefined) return info.encrypted ? text.legacyKeys : text.noKeys;
      return image.chain[0]?.state === 'locked' ? text.locked : '';
    case 'file':
      return '';
  }
}
