/** What the app says that a new image takes, beside the files of the real program. */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createForecast } from '../../src/app/create-forecast.ts';
import { type CreateFormat, type ChosenOptions, optionList } from '../../src/app/create-options.ts';
import { available, make, qemuImg } from './programs.ts';

const GIB = 2 ** 30;

const CASES: [CreateFormat, ChosenOptions][] = [
  ['qcow2', {}],
  ['qcow2', { preallocation: 'metadata' }],
  ['qcow2', { preallocation: 'metadata', cluster_size: '4k' }],
  ['qcow2', { preallocation: 'metadata', extended_l2: 'on', refcount_bits: '64' }],
  ['qcow2', { cluster_size: '2M' }],
  ['raw', {}],
  ['vmdk', {}],
  ['vmdk', { subformat: 'monolithicFlat' }],
  ['vhdx', {}],
  ['vhdx', { growth: 'fixed' }],
  ['vpc', {}],
  ['vpc', { growth: 'fixed', force_size: 'on' }],
  ['vdi', {}],
  ['vdi', { growth: 'fixed' }],
  ['qed', {}],
  ['parallels', {}],
  ['qcow', {}],
];

describe.skipIf(!available)('the forecast of a new image', () => {
  test.each(CASES)('%s %o', async (format, chosen) => {
    const folder = mkdtempSync(join(tmpdir(), 'forecast-'));
    try {
      // Five million small clusters keep the real program busy for half a minute.
      const size = chosen['cluster_size'] === '4k' ? 2 * GIB : 20 * GIB;
      const wish = { format, size, chosen, over: false, encrypted: false };
      const forecast = createForecast(wish, size);
      const list = Object.entries(optionList(wish)).map(([id, value]) => `${id}=${value}`);
      const options = list.length > 0 ? ['-o', list.join(',')] : [];
      const path = join(folder, 'new');
      await make('qemu-img', ['create', '-q', '-f', format, ...options, path, String(size)]);
      const files = readdirSync(folder).map((name) => statSync(join(folder, name)));
      const length = files.reduce((sum, file) => sum + file.size, 0);
      const slack = 192 * 1024;
      expect(Math.abs(forecast.length - length)).toBeLessThanOrEqual(slack + 0.02 * length);
      expect(forecast.now).toBeLessThanOrEqual(forecast.most);
      if (format !== 'qcow2') return;
      const measured = await qemuImg([
        'measure',
        '--output=json',
        '-O',
        'qcow2',
        ...options,
        '--size',
        String(size),
      ]);
      const { 'fully-allocated': most } = JSON.parse(measured.stdout) as Record<string, number>;
      expect(Math.abs(forecast.most - (most ?? 0))).toBeLessThanOrEqual(
        0.001 * (most ?? 0) + 4 * 2 ** 21,
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
