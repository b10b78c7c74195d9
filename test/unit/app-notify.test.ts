import { beforeEach, expect, it, vi } from 'vitest';

const told: string[] = [];

vi.hoisted(() => {
  vi.stubGlobal('navigator', { languages: ['en'] });
  vi.stubGlobal('document', { documentElement: { dataset: {} }, visibilityState: 'hidden' });
});

class Told {
  static permission = 'granted';
  static requestPermission = () => Promise.resolve(Told.permission);
  constructor(title: string) {
    told.push(title);
  }
}

const { notify, tellOfEnd } = await import('../../src/app/notify.svelte.ts');

beforeEach(() => {
  told.length = 0;
  Told.permission = 'granted';
  vi.stubGlobal('Notification', Told);
  vi.stubGlobal('document', { documentElement: { dataset: {} }, visibilityState: 'hidden' });
});

it('tells of long work, to who wanted it and looks elsewhere', async () => {
  tellOfEnd('not wanted', true);
  await notify.want(true);
  tellOfEnd('Converting: finished', true);
  tellOfEnd('short', false);
  vi.stubGlobal('document', { documentElement: { dataset: {} }, visibilityState: 'visible' });
  tellOfEnd('in sight', true);
  await notify.want(false);
  vi.stubGlobal('document', { documentElement: { dataset: {} }, visibilityState: 'hidden' });
  tellOfEnd('not wanted any more', true);
  expect(told).toEqual(['Converting: finished']);
});

it('says so when the browser does not allow it, and asks for nothing by itself', async () => {
  Told.permission = 'denied';
  await notify.want(true);
  expect([notify.wanted, notify.refused]).toEqual([false, true]);
  tellOfEnd('refused', true);
  expect(told).toEqual([]);
});
