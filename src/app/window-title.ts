import { images } from './images.svelte.ts';
import { jobs } from './jobs.svelte.ts';
import { words } from './words.svelte.ts';

/** The number on the app's icon, where it is installed: percent while something runs. */
export function showBadge(): void {
  if (!('setAppBadge' in navigator)) return;
  const { percent } = jobs;
  const done = percent === undefined ? navigator.clearAppBadge() : navigator.setAppBadge(percent);
  done.catch(() => undefined);
}

/** The window's title: progress first, so that it can be read in a narrow tab. */
export function windowTitle(): string {
  const { current } = images;
  const { percent } = jobs;
  const parts: string[] = [];
  if (percent !== undefined) parts.push(`${percent} %`);
  if (current !== undefined) {
    parts.push(current.name);
    if (words.imageReady) parts.push(words.image.screen.panels[current.panel]);
  }
  return [...parts, words.shell.app].join(' · ');
}
