/** What can be chosen about a new image: formats, their options, presets. */
import type { FormatName } from '../worker/api.ts';

/** Formats that are made empty here, the usual ones first. */
export const CREATE_FORMATS = [
  ...(['qcow2', 'raw', 'vmdk', 'vhdx', 'vpc', 'vdi'] as const),
  ...(['luks', 'qed', 'parallels', 'qcow'] as const),
] as const satisfies readonly FormatName[];
export type CreateFormat = (typeof CREATE_FORMATS)[number];

/** Options by their names in `-o`, with the values to choose from; the first holds by itself. */
const VALUES = {
  cluster_size: ['64k', '512', '4k', '16k', '32k', '128k', '256k', '512k', '1M', '2M'],
  compat: ['1.1', '0.10'],
  preallocation: ['off', 'metadata', 'falloc', 'full'],
  extended_l2: ['off', 'on'],
  lazy_refcounts: ['off', 'on'],
  refcount_bits: ['16', '1', '2', '4', '8', '32', '64'],
  compression_type: ['zlib', 'zstd'],
  subformat: [
    ...(['monolithicSparse', 'monolithicFlat'] as const),
    ...(['twoGbMaxExtentSparse', 'twoGbMaxExtentFlat', 'streamOptimized'] as const),
  ],
  adapter_type: ['lsilogic', 'ide', 'buslogic', 'legacyESX'],
  hwversion: ['undefined', '4', '6', '7', '8', '9', '10', '11', '12', '13', '14', '19', '20', '21'],
  zeroed_grain: ['off', 'on'],
  growth: ['dynamic', 'fixed'],
  force_size: ['on', 'off'],
  block_size: ['auto', '1M', '2M', '8M', '16M', '32M', '64M', '128M', '256M'],
  log_size: ['1M', '2M', '4M', '8M', '16M'],
  block_state_zero: ['on', 'off'],
  qed_cluster_size: ['64k', '4k', '16k', '256k', '1M', '64M'],
  table_size: ['4', '1', '2', '8', '16'],
  parallels_cluster_size: ['1M', '64k', '256k', '4M'],
  'cipher-alg': ['aes-256', 'aes-192', 'aes-128'],
  'cipher-mode': ['xts', 'cbc'],
  'hash-alg': ['sha256', 'sha1', 'sha512'],
  'iter-time': ['2000', '500', '1000', '5000', '10000'],
} as const;
export type CreateOption = keyof typeof VALUES;

/** Those of each format; the first ones are shown at once, the others on request. */
const OF_FORMAT: Record<CreateFormat, { usual: CreateOption[]; more: CreateOption[] }> = {
  qcow2: {
    usual: ['preallocation', 'cluster_size', 'compat'],
    more: ['compression_type', 'extended_l2', 'lazy_refcounts', 'refcount_bits'],
  },
  raw: { usual: ['preallocation'], more: [] },
  vmdk: { usual: ['subformat', 'adapter_type'], more: ['hwversion', 'zeroed_grain'] },
  vhdx: { usual: ['growth'], more: ['block_size', 'log_size', 'block_state_zero'] },
  vpc: { usual: ['growth', 'force_size'], more: [] },
  vdi: { usual: ['growth'], more: [] },
  luks: { usual: ['iter-time'], more: ['cipher-alg', 'cipher-mode', 'hash-alg', 'preallocation'] },
  qed: { usual: [], more: ['qed_cluster_size', 'table_size'] },
  parallels: { usual: [], more: ['parallels_cluster_size'] },
  qcow: { usual: [], more: [] },
};

export type ChosenOptions = { readonly [Id in CreateOption]?: string };

/** What is to be made, as the person has chosen it. */
export interface CreateWish {
  format: CreateFormat;
  /** Virtual size in bytes; undefined while it is not said, or that of the image below. */
  size: number | undefined;
  chosen: ChosenOptions;
  /** Whether there is an image below. */
  over: boolean;
  encrypted: boolean;
}

export function optionsOf(format: CreateFormat): { usual: CreateOption[]; more: CreateOption[] } {
  return OF_FORMAT[format];
}

/** Formats that can name an image below, and those whose content can be encrypted. */
export function canLayer(format: CreateFormat): boolean {
  return ['qcow2', 'vmdk', 'qed', 'qcow'].includes(format);
}

export function canEncrypt(format: CreateFormat): boolean {
  return format === 'qcow2';
}

/** The values that go with what else is chosen. */
export function valuesFor(id: CreateOption, { format, chosen, over }: CreateWish): string[] {
  const old = chosen.compat === '0.10';
  return VALUES[id].filter((value) => {
    switch (id) {
      case 'preallocation':
        if (value === 'metadata' && format !== 'qcow2') return false;
        // Only subclusters let an image have tables and still show what lies below.
        return value === 'off' || !over || chosen.extended_l2 === 'on';
      case 'cluster_size':
        return chosen.extended_l2 !== 'on' || !['512', '4k'].includes(value);
      case 'extended_l2':
      case 'lazy_refcounts':
        return value === 'off' || !old;
      case 'refcount_bits':
        return value === '16' || !old;
      case 'compression_type':
        return value === 'zlib' || !old;
      case 'subformat':
        return !over || !value.endsWith('Flat');
      case 'block_state_zero':
        return value === 'off' || chosen.growth !== 'fixed';
      default:
        return true;
    }
  });
}

/** The value that holds: the chosen one as long as it is possible, else the first. */
export function valueFor(id: CreateOption, wish: CreateWish): string {
  const values = valuesFor(id, wish);
  return values.find((value) => value === wish.chosen[id]) ?? values[0] ?? VALUES[id][0];
}

/** Options as `-o` takes them; what qemu-img does by itself is left out. */
export function optionList(wish: CreateWish): Record<string, string> {
  const { usual, more } = OF_FORMAT[wish.format];
  const list: Record<string, string> = {};
  for (const id of [...usual, ...more]) {
    const value = valueFor(id, wish);
    if (value === DEFAULTS[id] && id !== 'subformat') continue;
    if (id === 'growth' && wish.format === 'vdi') list['static'] = value === 'fixed' ? 'on' : 'off';
    else list[NAMES[id] ?? id] = value;
  }
  if (wish.encrypted && canEncrypt(wish.format)) list['encrypt.format'] = 'luks';
  return list;
}

/** Values that qemu-img takes by itself, where they are not sent. */
const DEFAULTS: Partial<Record<CreateOption, string>> = {
  cluster_size: '64k',
  compat: '1.1',
  preallocation: 'off',
  extended_l2: 'off',
  lazy_refcounts: 'off',
  refcount_bits: '16',
  compression_type: 'zlib',
  hwversion: 'undefined',
  zeroed_grain: 'off',
  growth: 'dynamic',
  force_size: 'off',
  block_size: 'auto',
  log_size: '1M',
  block_state_zero: 'on',
  qed_cluster_size: '64k',
  table_size: '4',
  parallels_cluster_size: '1M',
  'cipher-alg': 'aes-256',
  'cipher-mode': 'xts',
  'hash-alg': 'sha256',
  'iter-time': '2000',
};

/** Where the name in `-o` is another. */
const NAMES: Partial<Record<CreateOption, string>> = {
  growth: 'subformat',
  qed_cluster_size: 'cluster_size',
  parallels_cluster_size: 'cluster_size',
};

const SUFFIXES: Record<CreateFormat, string> = {
  qcow2: '.qcow2',
  raw: '.raw',
  vmdk: '.vmdk',
  vhdx: '.vhdx',
  vpc: '.vhd',
  vdi: '.vdi',
  luks: '.luks',
  qed: '.qed',
  parallels: '.hdd',
  qcow: '.qcow',
};

export function suffixFor(format: CreateFormat): string {
  return SUFFIXES[format];
}

/** Whether several files come of it, which lie beside each other. */
export function makesSeveral(wish: CreateWish): boolean {
  if (wish.format !== 'vmdk') return false;
  const subformat = valueFor('subformat', wish);
  return subformat.endsWith('Flat') || subformat.startsWith('twoGb');
}

/** What to choose for the programs that people have. */
export const PRESETS = [
  { id: 'qemu', format: 'qcow2', chosen: {} },
  { id: 'virtualbox', format: 'vdi', chosen: {} },
  { id: 'vmware', format: 'vmdk', chosen: {} },
  { id: 'hyper-v', format: 'vhdx', chosen: {} },
  { id: 'azure', format: 'vpc', chosen: { growth: 'fixed', force_size: 'on' } },
  { id: 'old-qemu', format: 'qcow2', chosen: { compat: '0.10' } },
] as const satisfies readonly { id: string; format: CreateFormat; chosen: ChosenOptions }[];
export type PresetId = (typeof PRESETS)[number]['id'];
