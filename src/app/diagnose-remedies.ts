/** What mends a finding: its words, and the way there. */
import type { Edit, Remedy } from '../worker/api.ts';
import { makeEdit, planRepair } from './changes.ts';
import { askCompact } from './compact.ts';
import { chooseFormat, chooseOption } from './convert.ts';
import { diagnose, rememberBase } from './diagnose.ts';
import { type ChoiceId, TARGET_FORMATS, type TargetFormat } from './goal.ts';
import { images } from './images.svelte.ts';
import type { OpenImage } from './open-image.svelte.ts';
import { words } from './words.svelte.ts';

/** A remedy that is a button; lines to be pasted are none. */
export type Act = Exclude<Remedy, { kind: 'paste' }>;

/** Those that can be done here, with this image as it is. */
export function actsOf(image: OpenImage, remedies: readonly Remedy[]): Act[] {
  return remedies.filter((remedy): remedy is Act => {
    if (remedy.kind === 'paste') return false;
    if (remedy.kind === 'convert') return targetOf(remedy.format) !== undefined;
    return !isEdit(remedy) || editOf(image, remedy) !== undefined;
  });
}

export function remedyWords(remedy: Act): string {
  const text = words.part('diagnose').remedies;
  switch (remedy.kind) {
    case 'compact':
      return remedy.snapshots ? text.compact : text.compactWithout;
    case 'convert': {
      const format = targetOf(remedy.format);
      return text.convert(
        format === undefined ? remedy.format : words.image.goal.formats[format].label,
      );
    }
    case 'delete-snapshot':
      return text.deleteSnapshot(remedy.name);
    case 'delete-bitmap':
      return text.deleteBitmap(remedy.name);
    case 'give-file':
      return text.giveFile(remedy.name);
    default:
      return text[remedy.kind];
  }
}

/** Goes to where it is done, filled in. Changes wait on a layer over the file; nothing is written. */
export async function apply(image: OpenImage, remedy: Act): Promise<void> {
  switch (remedy.kind) {
    case 'repair':
      images.showPanel('check');
      if (image.check.report === undefined) await images.check(image);
      if (image.info?.qcow2 !== undefined) await planRepair(image, ['safe']);
      return;
    case 'compact':
      askCompact(image, remedy.snapshots);
      return;
    case 'convert':
      wishFor(image, remedy);
      images.showPanel('convert');
      return;
    case 'commit':
      image.changes.form = 'commit';
      images.showPanel('changes');
      return;
    case 'give-file':
      images.showPanel('overview');
      return;
    case 'guard':
      await rememberBase(image);
      return;
    case 'deep':
      await diagnose(image, { deep: true });
      return;
    default:
      await change(image, remedy);
  }
}

type EditRemedy = Extract<
  Remedy,
  { kind: 'amend' | 'relink' | 'flatten' | 'delete-snapshot' | 'delete-bitmap' }
>;

/** Whether it is a change that waits to be saved. */
export function isEdit(remedy: Remedy): remedy is EditRemedy {
  return ['amend', 'relink', 'flatten', 'delete-snapshot', 'delete-bitmap'].includes(remedy.kind);
}

/** The change that it is; undefined where the image is not, or no longer, like that. */
export function editOf({ info }: OpenImage, remedy: EditRemedy): Edit | undefined {
  switch (remedy.kind) {
    case 'amend':
      return { kind: 'amend', options: remedy.options };
    case 'flatten':
      return info?.backing && { kind: 'rebase', to: undefined, compress: false };
    case 'relink': {
      const name = info?.backing?.name;
      const edit = { kind: 'rename-backing', format: remedy.format } as const;
      // The worker refuses what is no format.
      return name === undefined ? undefined : ({ ...edit, name } as Edit);
    }
    case 'delete-snapshot': {
      const found = info?.snapshots.find(({ name }) => name === remedy.name);
      const snapshot = found && { id: found.id, name: found.name };
      return snapshot && { kind: 'delete-snapshot', snapshot };
    }
    case 'delete-bitmap': {
      const isThere = info?.qcow2?.bitmaps.some(({ name }) => name === remedy.name);
      return isThere === true ? { kind: 'remove-bitmap', name: remedy.name } : undefined;
    }
  }
}

async function change(image: OpenImage, remedy: EditRemedy): Promise<void> {
  const edit = editOf(image, remedy);
  if (edit === undefined) return;
  images.showPanel('changes');
  await makeEdit(image, edit);
}

function targetOf(format: string): TargetFormat | undefined {
  return TARGET_FORMATS.find((target) => target === format);
}

/** What the form of Convert has a choice for; what it has none for is made as it usually is. */
function wishFor(image: OpenImage, remedy: Extract<Remedy, { kind: 'convert' }>): void {
  const format = targetOf(remedy.format);
  if (format === undefined) return;
  chooseFormat(image, format);
  for (const [id, value] of Object.entries(choicesFor(remedy))) {
    if (value !== undefined) chooseOption(image, id as ChoiceId, value);
  }
}

/** The choices that stand for the options of a conversion. */
export function choicesFor({
  format,
  options,
  compress,
}: Pick<Extract<Remedy, { kind: 'convert' }>, 'format' | 'options' | 'compress'>): {
  [Id in ChoiceId]?: string | undefined;
} {
  const type = options['compression_type'] ?? 'zlib';
  const isVmdk = format === 'vmdk';
  const { subformat } = options;
  return {
    compression: compress ? type : 'none',
    compat: options['compat'],
    cluster: clusterChoice(options['cluster_size']),
    ...(isVmdk ? { vmdk: subformat, adapter: options['adapter_type'] } : { growth: subformat }),
  };
}

/** `65536` is written as `64k`, as the form has it. */
function clusterChoice(size: string | undefined): string | undefined {
  if (size === undefined || !/^\d+$/.test(size)) return size;
  const bytes = Number(size);
  return bytes >= 2 ** 20 ? `${bytes / 2 ** 20}M` : `${bytes / 1024}k`;
}
