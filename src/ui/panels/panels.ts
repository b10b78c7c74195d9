/** Each panel is loaded when it is first shown, with its texts. */
import type { Component } from 'svelte';
import type { OpenImage, Panel } from '../../app/open-image.svelte.ts';
import type { Part } from '../../app/text/parts.ts';
import { words } from '../../app/words.svelte.ts';

export type PanelComponent = Component<{ image: OpenImage }>;

interface Loader {
  component: () => Promise<{ default: PanelComponent }>;
  texts: readonly Part[];
  /** It takes all of the window's width and height. */
  isWide?: boolean;
}

const PANELS: Record<Panel, Loader> = {
  overview: { component: () => import('./Overview.svelte'), texts: ['contents'] },
  map: { component: () => import('./Map.svelte'), texts: ['map'], isWide: true },
  structure: {
    component: () => import('./Structure.svelte'),
    texts: ['structure', 'structures'],
    isWide: true,
  },
  check: { component: () => import('./Check.svelte'), texts: [] },
  diagnose: { component: () => import('./Diagnose.svelte'), texts: ['diagnose'] },
  convert: { component: () => import('./Convert.svelte'), texts: [] },
  snapshots: { component: () => import('./Snapshots.svelte'), texts: ['snapshots'] },
  changes: { component: () => import('./Changes.svelte'), texts: ['changing'] },
  checksum: { component: () => import('./Checksum.svelte'), texts: [] },
  console: { component: loadConsole, texts: [] },
};

/** It is the same for all images. */
async function loadConsole(): Promise<{ default: PanelComponent }> {
  const { default: Console } = await import('./Console.svelte');
  return { default: Console as Component<object> };
}

const loaded = new Map<Panel, PanelComponent>();

export function isWide(panel: Panel): boolean {
  return PANELS[panel].isWide === true;
}

/** A panel that is there already; undefined: {@link loadPanel} brings it. */
export function panelNow(panel: Panel): PanelComponent | undefined {
  return loaded.get(panel);
}

/** @throws where its files cannot be had: the network is gone before they were kept */
export async function loadPanel(panel: Panel): Promise<PanelComponent> {
  const { component, texts } = PANELS[panel];
  const [module] = await Promise.all([component(), ...texts.map((name) => words.loadPart(name))]);
  loaded.set(panel, module.default);
  return module.default;
}
