/** What a conversion is to make: a file in some format, or one that a destination takes. */
import type { Acceptance, DestinationId, Goal, ImageInfo } from '../worker/api.ts';
import { quote, sourceWords, type CommandSource } from './target.ts';

/** Formats that can be made here, the usual ones first. */
export const TARGET_FORMATS = [
  ...(['raw', 'qcow2', 'vmdk', 'vpc', 'vhdx', 'vdi'] as const),
  ...(['qed', 'parallels', 'qcow'] as const),
] as const;
export type TargetFormat = (typeof TARGET_FORMATS)[number];

/** What can be chosen about a format; the first of the values is taken by itself. */
const CHOICES = {
  compression: ['none', 'zlib', 'zstd'],
  compat: ['1.1', '0.10'],
  cluster: ['64k', '4k', '16k', '256k', '1M', '2M'],
  vmdk: [
    ...(['monolithicSparse', 'streamOptimized', 'monolithicFlat'] as const),
    ...(['twoGbMaxExtentSparse', 'twoGbMaxExtentFlat'] as const),
  ],
  adapter: ['lsilogic', 'ide', 'buslogic', 'legacyESX'],
  growth: ['dynamic', 'fixed'],
  exact: ['on', 'off'],
} as const;
export type ChoiceId = keyof typeof CHOICES;
export type ChoiceValue<Id extends ChoiceId = ChoiceId> = (typeof CHOICES)[Id][number];
export type Chosen = { readonly [Id in ChoiceId]?: string };

const OF_FORMAT: Record<TargetFormat, readonly ChoiceId[]> = {
  raw: [],
  qcow2: ['compression', 'compat', 'cluster'],
  vmdk: ['vmdk', 'adapter'],
  vpc: ['growth', 'exact'],
  vhdx: ['growth'],
  vdi: ['growth'],
  qed: [],
  parallels: [],
  qcow: ['compression'],
};

const SUFFIXES: Record<TargetFormat, string> = {
  raw: '.raw',
  qcow2: '.qcow2',
  vmdk: '.vmdk',
  vpc: '.vhd',
  vhdx: '.vhdx',
  vdi: '.vdi',
  qed: '.qed',
  parallels: '.hdd',
  qcow: '.qcow',
};

/** What is wanted, as the person has chosen it. */
export interface Wanted {
  format: TargetFormat;
  chosen: Chosen;
  /** Undefined: a format is wanted, whoever takes it. */
  destination: Acceptance | undefined;
}

export function choicesOf(format: TargetFormat): readonly ChoiceId[] {
  return OF_FORMAT[format];
}

/** The values that go with what else is chosen. */
export function valuesOf(id: ChoiceId, { format, chosen }: Wanted): readonly ChoiceValue[] {
  const noZstd = format === 'qcow' || chosen.compat === '0.10';
  return CHOICES[id].filter((value) => !(value === 'zstd' && noZstd));
}

/** The value that holds: the chosen one as long as it is possible, else the first. */
export function valueOf(id: ChoiceId, wanted: Wanted): ChoiceValue {
  const values = valuesOf(id, wanted);
  const chosen = values.find((value) => value === wanted.chosen[id]);
  return chosen ?? values[0] ?? CHOICES[id][0];
}

/** What is asked of the worker. */
export function goalOf(wanted: Wanted): Goal {
  const { destination, format } = wanted;
  if (destination !== undefined) return { kind: 'destination', id: destination.id };
  const { options, compress } = recipeOf(wanted);
  return { kind: 'format', format, options, compress };
}

export type MadeFrom = Pick<Acceptance['recipe'], 'format' | 'options' | 'compress' | 'container'>;

/** Format and options, as `-o` takes them: those of the destination, or the chosen ones. */
export function recipeOf(wanted: Wanted): MadeFrom {
  const { destination, format } = wanted;
  if (destination !== undefined) return destination.recipe;
  const options: Record<string, string> = {};
  const ids = choicesOf(format);
  const has = (id: ChoiceId): string => (ids.includes(id) ? valueOf(id, wanted) : '');
  if (has('compression') === 'zstd') options['compression_type'] = 'zstd';
  if (has('compat') === '0.10') options['compat'] = '0.10';
  if (!['', '64k'].includes(has('cluster'))) options['cluster_size'] = has('cluster');
  if (format === 'vmdk') {
    options['subformat'] = has('vmdk');
    options['adapter_type'] = has('adapter');
  }
  const growth = has('growth');
  if (growth !== '' && format === 'vdi') options['static'] = growth === 'fixed' ? 'on' : 'off';
  else if (growth !== '') options['subformat'] = growth;
  // Marked as zeros, blocks of a fixed disk would get new places when they are written.
  if (format === 'vhdx' && growth === 'fixed') options['block_state_zero'] = 'off';
  if (has('exact') === 'on') options['force_size'] = 'on';
  const compress = !['', 'none'].includes(has('compression'));
  return { format, options, compress, container: 'none' };
}

/** End of the name of what is made. */
export function suffixOf({ destination, format }: Wanted): string {
  return destination === undefined ? SUFFIXES[format] : destination.recipe.suffix;
}

/** Bytes of the disk in what is made. */
export function diskSize({ destination }: Wanted, info: ImageInfo): number {
  return destination === undefined ? info.virtualSize : destination.size;
}

/** Whether several files may come of it, which lie beside each other. */
export function isSeveral(wanted: Wanted): boolean {
  const { options, container } = recipeOf(wanted);
  const subformat = options['subformat'] ?? '';
  return container === 'vmfs-pair' || /Flat$|^twoGb/.test(subformat);
}

/** Whether everything that is copied is compressed. */
export function isPacked(wanted: Wanted): boolean {
  const { options, compress, container } = recipeOf(wanted);
  return compress || container === 'tar.gz' || options['subformat'] === 'streamOptimized';
}

/** Whether it is nothing but the bytes of the disk, which can go straight to where they belong. */
export function isPlain(wanted: Wanted): boolean {
  return wanted.destination === undefined && wanted.format === 'raw';
}

/** Bytes of the file: exactly, about so many, or not more; undefined where nobody can tell. */
export function fileSizeOf(
  wanted: Wanted,
  size: number,
  data: number,
): { kind: 'exact' | 'about' | 'most'; bytes: number } {
  const { format, options, container } = recipeOf(wanted);
  const subformat = options['subformat'] ?? '';
  if (isPacked(wanted)) return { kind: 'most', bytes: data };
  if (format === 'raw') return { kind: container === 'none' ? 'exact' : 'about', bytes: size };
  if (format === 'vpc' && subformat === 'fixed') return { kind: 'exact', bytes: size + 512 };
  const isFixed = subformat === 'fixed' || options['static'] === 'on' || /Flat$/.test(subformat);
  return { kind: 'about', bytes: isFixed ? size : data };
}

/**
 * The command lines that do the same with qemu-img, and more where it cannot do it alone; quoted for
 * a shell where needed.
 */
export function equalCommands(
  wanted: Wanted,
  source: CommandSource,
  info: ImageInfo,
  target: string,
): string[] {
  const { format, options, compress, container } = recipeOf(wanted);
  const size = diskSize(wanted, info);
  const list = Object.entries(options).map(([name, value]) => `${name}=${value}`);
  const to = [
    ...(compress ? ['-c'] : []),
    ...['-O', container === 'vmfs-pair' ? 'vmdk' : format],
    ...(container === 'vmfs-pair' ? ['-o', 'subformat=monolithicFlat'] : []),
    ...(list.length > 0 ? ['-o', list.join(',')] : []),
  ].join(' ');
  const longer = size > info.virtualSize;
  if (container === 'tar.gz') {
    return [
      `qemu-img convert ${sourceWords(source, '-O raw')} disk.raw`,
      ...(longer ? [`qemu-img resize -f raw disk.raw ${size}`] : []),
      `tar --format=oldgnu -Sczf ${quote(target)} disk.raw`,
    ];
  }
  const made = container === 'ova' ? target.replace(/\.ova$/i, '.vmdk') : target;
  if (!longer) return [`qemu-img convert ${sourceWords(source, to)} ${quote(made)}`];
  return [
    `qemu-img convert ${sourceWords(source, '-O raw')} disk.raw`,
    `qemu-img resize -f raw disk.raw ${size}`,
    `qemu-img convert -f raw ${to} disk.raw ${quote(made)}`,
  ];
}

/** What is to be run where it is taken to. @param bytes of the file, where that is known */
export function afterCommands(
  { destination }: Wanted,
  target: string,
  bytes: number | undefined,
): string[] {
  // These are for other shells, too: what all of them understand.
  const file = /^[\w.-]+$/.test(target) ? target : `"${target.replaceAll('"', '')}"`;
  return (destination?.commands ?? []).map((command) => {
    const named = command.replace(/\bFILE\b/g, () => file);
    return bytes === undefined ? named : named.replace(/\bBYTES\b/g, String(bytes));
  });
}

export function wantedDestination(
  destinations: readonly Acceptance[],
  id: DestinationId | undefined,
): Acceptance | undefined {
  return destinations.find((one) => one.id === id);
}
