/** Texts that only one panel needs: each is loaded with it. */
import type { Language } from '../settings.svelte.ts';
import type { MapText } from './en-map.ts';
import type { StructureText } from './en-structure.ts';
import type { StructuresText } from './en-structures.ts';
import type { SnapshotsText } from './en-snapshots.ts';
import type { ChangingText } from './en-changing.ts';
import type { ContentsText } from './en-contents.ts';
import type { CreateText } from './en-create.ts';
import type { DiagnoseText } from './en-diagnose.ts';
import type { DialogsText } from './en-dialogs.ts';
import type { PaletteText } from './en-palette.ts';

export interface Parts {
  map: MapText;
  structure: StructureText;
  structures: StructuresText;
  snapshots: SnapshotsText;
  changing: ChangingText;
  contents: ContentsText;
  create: CreateText;
  diagnose: DiagnoseText;
  dialogs: DialogsText;
  palette: PaletteText;
}
export type Part = keyof Parts;

type Loader<P extends Part> = () => Promise<Parts[P]>;

const LOADERS: { [P in Part]: Record<Language, Loader<P>> } = {
  map: {
    en: async () => (await import('./en-map.ts')).enMap,
    'zh-CN': async () => (await import('./zh-CN-map.ts')).zhMap,
  },
  structure: {
    en: async () => (await import('./en-structure.ts')).enStructure,
    'zh-CN': async () => (await import('./zh-CN-structure.ts')).zhStructure,
  },
  structures: {
    en: async () => (await import('./en-structures.ts')).enStructures,
    'zh-CN': async () => (await import('./zh-CN-structures.ts')).zhStructures,
  },
  snapshots: {
    en: async () => (await import('./en-snapshots.ts')).enSnapshots,
    'zh-CN': async () => (await import('./zh-CN-snapshots.ts')).zhSnapshots,
  },
  changing: {
    en: async () => (await import('./en-changing.ts')).enChanging,
    'zh-CN': async () => (await import('./zh-CN-changing.ts')).zhChanging,
  },
  contents: {
    en: async () => (await import('./en-contents.ts')).enContents,
    'zh-CN': async () => (await import('./zh-CN-contents.ts')).zhContents,
  },
  create: {
    en: async () => (await import('./en-create.ts')).enCreate,
    'zh-CN': async () => (await import('./zh-CN-create.ts')).zhCreate,
  },
  diagnose: {
    en: async () => (await import('./en-diagnose.ts')).enDiagnose,
    'zh-CN': async () => (await import('./zh-CN-diagnose.ts')).zhDiagnose,
  },
  dialogs: {
    en: async () => (await import('./en-dialogs.ts')).enDialogs,
    'zh-CN': async () => (await import('./zh-CN-dialogs.ts')).zhDialogs,
  },
  palette: {
    en: async () => (await import('./en-palette.ts')).enPalette,
    'zh-CN': async () => (await import('./zh-CN-palette.ts')).zhPalette,
  },
};

/** The texts of a panel, under its name. */
export async function loadPart(name: Part, language: Language): Promise<Partial<Parts>> {
  return { [name]: await LOADERS[name][language]() };
}
