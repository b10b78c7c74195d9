import { afterEach, describe, expect, it } from 'vitest';
import { cdp } from 'vitest/browser';
import { isImageError } from '../../src/engine/errors.ts';
import type { LeftBehind } from '../../src/worker/api.ts';
import { EngineClient } from '../../src/worker/client.ts';
import { Scratch } from '../storage/browser-files.ts';
import { pattern } from '../storage/conformance.ts';
import { type TinyImage, tinyQcow2 } from './tiny-images.ts';

const MIB = 2 ** 20;
const scratch = new Scratch('quota');
const client = new EngineClient();

/** The DevTools protocol; its types do not come with the browser provider's. */
interface Devtools {
  send(method: string, params: Record<string, unknown>): Promise<unknown>;
}

/** Lets this origin have so many bytes; undefined: as many as before. */
async function setQuota(quotaSize: number | undefined): Promise<void> {
  const devtools = cdp() as unknown as Devtools;
  const { origin } = location;
  await devtools.send('Storage.overrideQuotaForOrigin', {
    origin,
    ...(quotaSize === undefined ? {} : { quotaSize }),
  });
}

afterEach(async () => {
  await setQuota(undefined);
  await scratch.clear();
  client.stop();
});

describe('no space for the result', () => {
  it.each(['private', 'handle'] as const)('is said, and nothing is left: %s', async (kind) => {
    const clusters: TinyImage['clusters'] = new Map();
    for (let index = 0; index < 640; index++) {
      clusters.set(index, { kind: 'data', bytes: pattern(65536, index) });
    }
    const image = new File([tinyQcow2({ size: 40 * MIB, clusters })], 'disk.qcow2');
    const { id } = await client.open(image);
    const handle = await scratch.file(new Uint8Array(0), 'out.raw');
    const { usage = 0 } = await navigator.storage.estimate();
    await setQuota(usage + 10 * MIB);
    const left: LeftBehind[] = [];
    const target = kind === 'private' ? { kind, name: 'out.raw' } : { kind, handle };
    const job = client.start<'convert'>(
      { kind: 'convert', image: id, target, verify: true },
      { left: (what) => left.push(what) },
    );
    const error: unknown = await job.promise.catch((reason: unknown) => reason);
    expect(isImageError(error, 'disk-full') && error.details.name).toBe('out.raw');
    expect(left).toEqual([{ name: 'out.raw', state: 'removed' }]);
    expect(await client.privateFiles()).toEqual([]);
  });
});
