import { afterAll, describe, expect, it } from 'vitest';
import type { ChecksumRequest, OpenedImage } from '../../src/worker/api.ts';
import { EngineClient, type JobProgress } from '../../src/worker/client.ts';
import { pattern } from '../storage/conformance.ts';
import { guestContent, type TinyImage, tinyQcow2 } from './tiny-images.ts';

const MIB = 2 ** 20;
const client = new EngineClient();
afterAll(() => client.stop());

/** Every kind of cluster, on both sides of 8 MiB. */
const MIXED: TinyImage = {
  size: 21 * MIB + 512,
  clusters: new Map([
    [0, { kind: 'data', bytes: pattern(65536, 1) }],
    [2, { kind: 'zero' }],
    [3, { kind: 'compressed', bytes: pattern(3000, 3) }],
    [127, { kind: 'data', bytes: pattern(65536, 4) }],
    [128, { kind: 'compressed', bytes: pattern(65000, 5) }],
    [330, { kind: 'data', bytes: pattern(60000, 6) }],
  ]),
};

async function open(content: BlobPart, name = 'disk.qcow2'): Promise<OpenedImage> {
  return await client.open(new File([content], name));
}

/** The browser's own digest, which wants everything at once. */
async function digestOf(algorithm: string, content: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest(algorithm, content));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function start(request: Omit<ChecksumRequest, 'kind'>, seen: JobProgress[] = []) {
  return client.start<'checksum'>(
    { kind: 'checksum', ...request },
    { progress: (progress) => seen.push(progress) },
  );
}

describe('worker: checksums', () => {
  it('of the content and of the file, as the browser itself computes them', async () => {
    const content = tinyQcow2(MIXED);
    const { id } = await open(content);
    const guest = guestContent(MIXED);
    const seen: JobProgress[] = [];
    const ofContent = await start({ image: id, of: 'content', algorithm: 'sha256' }, seen).promise;
    expect(ofContent).toMatchObject({
      algorithm: 'sha256',
      digest: await digestOf('SHA-256', guest),
      size: MIXED.size,
    });
    expect(ofContent.milliseconds).toBeGreaterThan(0);
    expect(seen.at(-1)).toMatchObject({ stage: 'digesting', done: MIXED.size, total: MIXED.size });
    for (const [algorithm, name] of [
      ['sha256', 'SHA-256'],
      ['sha512', 'SHA-512'],
    ] as const) {
      const ofFile = await start({ image: id, of: 'file', algorithm }).promise;
      expect(ofFile.digest).toBe(await digestOf(name, content));
      expect(ofFile.size).toBe(content.length);
    }
  });

  it('of a large file of data', async () => {
    const content = pattern(20 * MIB + 17, 9);
    const { info, id } = await client.open(new File([content], 'disk.img'), { raw: true });
    expect(info.format).toBe('raw');
    const { digest } = await start({ image: id, of: 'file', algorithm: 'sha256' }).promise;
    expect(digest).toBe(await digestOf('SHA-256', content));
  });

  it('stop when asked to, and other questions are answered meanwhile', async () => {
    const { id } = await open(tinyQcow2({ size: 2 ** 40, clusters: new Map() }));
    const seen: JobProgress[] = [];
    const job = start({ image: id, of: 'content', algorithm: 'sha256' }, seen);
    const ended = job.promise.catch((error: unknown) => error);
    const asked = performance.now();
    await client.askList({ text: 'a'.repeat(64), name: 'x', digests: {} });
    const answered = performance.now();
    job.cancel();
    expect(await ended).toMatchObject({ code: 'cancelled' });
    // Nominally 0.1 s; machines that do other work too get more.
    expect(answered - asked).toBeLessThan(500);
    expect(performance.now() - answered).toBeLessThan(500);
  });

  it('are refused where the content is unknown', async () => {
    const overlay = tinyQcow2({ size: MIB, clusters: new Map(), backing: 'base.qcow2' });
    const { id } = await open(overlay);
    const job = start({ image: id, of: 'content', algorithm: 'sha256' });
    await expect(job.promise).rejects.toMatchObject({
      code: 'unreadable-cluster',
      details: { reason: 'backing-missing' },
    });
    const { digest } = await start({ image: id, of: 'file', algorithm: 'sha256' }).promise;
    expect(digest).toBe(await digestOf('SHA-256', overlay));
  });

  it('are compared with a list', async () => {
    const digest = 'a'.repeat(64);
    const text = `${digest}  disk.qcow2\n`;
    const before = await client.askList({ text, name: 'disk.qcow2', digests: {} });
    expect(before).toEqual({
      expectation: {
        kind: 'listed',
        name: 'disk.qcow2',
        algorithm: 'sha256',
        digests: [digest],
        size: undefined,
      },
      verdict: undefined,
    });
    const ask = (known: string) =>
      client.askList({ text, name: 'disk.qcow2', digests: { sha256: known } });
    expect((await ask(digest)).verdict).toEqual({ kind: 'match', name: 'disk.qcow2' });
    expect((await ask('b'.repeat(64))).verdict).toMatchObject({ kind: 'mismatch' });
  });
});
