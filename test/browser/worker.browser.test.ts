import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ImageError } from '../../src/engine/errors.ts';
import type { LeftBehind } from '../../src/worker/api.ts';
import { EngineClient, type JobProgress } from '../../src/worker/client.ts';
import { Scratch } from '../storage/browser-files.ts';
import { expectBytes, pattern } from '../storage/conformance.ts';
import { guestContent, type TinyImage, tinyQcow2 } from './tiny-images.ts';

const MIB = 2 ** 20;
const scratch = new Scratch('worker');
const client = new EngineClient();

/** A disk with every kind of cluster, in two L2 tables, that ends inside a cluster. */
const MIXED: TinyImage = {
  size: 700 * MIB + 512,
  clusters: new Map([
    [0, { kind: 'data', bytes: pattern(65536, 1) }],
    [1, { kind: 'data', bytes: pattern(65536, 2) }],
    [2, { kind: 'zero' }],
    [3, { kind: 'compressed', bytes: pattern(3000, 3) }],
    [4, { kind: 'compressed', bytes: pattern(9000, 4) }],
    [100, { kind: 'data', bytes: pattern(100, 5) }],
    [8191, { kind: 'compressed', bytes: pattern(65000, 6) }],
    [8192, { kind: 'data', bytes: pattern(65536, 7) }],
    [11200, { kind: 'data', bytes: pattern(512, 8) }],
  ]),
};

function file(content: Uint8Array<ArrayBuffer>, name = 'disk.qcow2'): File {
  return new File([content], name);
}

/** The error that a promise rejects with. */
async function failure(promise: Promise<unknown>): Promise<ImageError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ImageError);
  return error as ImageError;
}

async function expectGuest(result: File, image: TinyImage): Promise<void> {
  expect(result.size).toBe(image.size);
  const expected = guestContent(image);
  const step = 64 * MIB;
  for (let at = 0; at < image.size; at += step) {
    const bytes = await result.slice(at, at + step).arrayBuffer();
    expectBytes(new Uint8Array(bytes), expected.subarray(at, at + step));
  }
}

/** Names of the files that workers make to see what private storage is. */
async function probes(): Promise<string[]> {
  const names: string[] = [];
  for await (const name of (await navigator.storage.getDirectory()).keys()) {
    if (name.startsWith('probe-')) names.push(name);
  }
  return names;
}

/** Names of what is being written in private storage. */
async function unfinished(): Promise<string[]> {
  const root = await navigator.storage.getDirectory();
  const folder = await root.getDirectoryHandle('unfinished', { create: true });
  const names: string[] = [];
  for await (const name of folder.keys()) names.push(name);
  return names;
}

async function clean(): Promise<void> {
  for (const { name } of await client.privateFiles()) await client.deletePrivateFile(name);
  await scratch.clear();
}

/** Workers that another test has killed leave files behind, which only time lets others remove. */
async function forgetKilled(): Promise<void> {
  const root = await navigator.storage.getDirectory();
  const folder = await root.getDirectoryHandle('unfinished', { create: true });
  for (const name of await unfinished()) await folder.removeEntry(name);
}

beforeAll(async () => {
  await clean();
  await forgetKilled();
});
afterEach(clean);
afterAll(() => client.stop());

describe('worker: opening', () => {
  it('knows its version and its private storage', async () => {
    const before = await probes();
    const facts = await client.facts();
    expect(facts).toEqual({
      version: __APP_VERSION__,
      privateStorage: true,
      privateStorageInMemory: false,
    });
    // Others may be looking at this moment; workers that were killed may have left something.
    await expect
      .poll(async () => (await probes()).filter((name) => !before.includes(name)), {
        timeout: 10_000,
      })
      .toEqual([]);
  });

  it('opens an image and says what it is', async () => {
    const content = tinyQcow2(MIXED);
    const { id, info, missingBytes, elapsed } = await client.open(file(content));
    expect(info).toMatchObject({
      name: 'disk.qcow2',
      format: 'qcow2',
      virtualSize: MIXED.size,
      fileSize: content.length,
      clusterSize: 65536,
    });
    expect(missingBytes).toBe(0);
    expect(elapsed).toBeGreaterThan(0);
    await client.close(id);
    const gone = client.start<'check'>({ kind: 'check', image: id });
    expect((await failure(gone.promise)).code).toBe('internal');
  });

  it('says at once how much of a cut-off file is missing', async () => {
    const content = tinyQcow2(MIXED);
    const cut = content.slice(0, content.length - 3 * 65536 - 100);
    const { missingBytes } = await client.open(file(cut));
    expect(missingBytes).toBeGreaterThanOrEqual(2 * 65536);
    expect(missingBytes).toBeLessThanOrEqual(content.length - cut.length);
  });

  it('says what a file is that is no image, and takes it as raw when told to', async () => {
    const text = `<!doctype html><title>404</title><p>${'Not found. '.repeat(10)}</p>`;
    const page = file(new TextEncoder().encode(text));
    const error = await failure(client.open(page));
    expect([error.code, error.details]).toMatchObject([
      'not-a-disk-image',
      { name: 'disk.qcow2', looksLike: 'html' },
    ]);
    expect(error.stack).not.toBe('');
    const { info } = await client.open(page, { raw: true });
    expect(info.format).toBe('raw');
    const empty = await failure(client.open(file(new Uint8Array(0))));
    expect(empty.details).toMatchObject({ looksLike: 'empty' });
  });

  it('names the broken field of a header, across the wire', async () => {
    const content = tinyQcow2(MIXED);
    new DataView(content.buffer).setUint32(20, 40);
    const error = await failure(client.open(file(content)));
    expect([error.code, error.details]).toMatchObject([
      'invalid-header',
      { problem: 'cluster-size', value: '40' },
    ]);
  });
});

describe('worker: check', () => {
  it('finds nothing wrong with a whole image', async () => {
    const { id } = await client.open(file(tinyQcow2(MIXED)));
    const seen: JobProgress[] = [];
    const job = client.start<'check'>(
      { kind: 'check', image: id },
      { progress: (progress) => seen.push(progress) },
    );
    const report = await job.promise;
    expect(report).toMatchObject({ corruptions: 0, leaks: 0, checkErrors: 0, findings: [] });
    expect([report.allocatedClusters, report.compressedClusters]).toEqual([8, 3]);
    expect(seen.every(({ stage }) => stage === 'checking')).toBe(true);
  });

  it('reports findings as data', async () => {
    const content = tinyQcow2(MIXED);
    // The refcount of the last cluster of the file.
    new DataView(content.buffer).setUint16(2 * 65536 + (content.length / 65536 - 1) * 2, 0);
    const { id } = await client.open(file(content));
    const report = await client.start<'check'>({ kind: 'check', image: id }).promise;
    expect(report.corruptions).toBeGreaterThan(0);
    expect(report.findings.map(({ kind }) => kind)).toContain('refcount-zero');
  });

  it('refuses what cannot be checked', async () => {
    const { id } = await client.open(file(pattern(4096), 'a.raw'), { raw: true });
    const error = await failure(client.start<'check'>({ kind: 'check', image: id }).promise);
    expect([error.code, error.details]).toEqual(['check-unsupported', { format: 'raw' }]);
  });
});

describe('worker: convert', () => {
  it('makes a raw file in private storage, byte for byte', async () => {
    const { id } = await client.open(file(tinyQcow2(MIXED)));
    const stages = new Set<string>();
    const job = client.start<'convert'>(
      { kind: 'convert', image: id, target: { kind: 'private', name: 'a/b.raw' }, verify: true },
      { progress: ({ stage }) => stages.add(stage) },
    );
    const result = await job.promise;
    expect(result).toMatchObject({ name: 'a_b.raw', size: MIXED.size, verified: true });
    expect(result.copied).toBeLessThan(MIB);
    expect([...stages]).toEqual(['copying', 'verifying']);
    expect(await client.privateFiles()).toMatchObject([{ name: 'a_b.raw', size: MIXED.size }]);
    await expectGuest(await client.privateFile('a_b.raw'), MIXED);
    expect(await unfinished()).toEqual([]);
    await client.deletePrivateFile('a_b.raw');
    await client.deletePrivateFile('a_b.raw');
    expect(await client.privateFiles()).toEqual([]);
    const error = await failure(client.privateFile('a_b.raw'));
    expect([error.code, error.details]).toEqual(['file-gone', { name: 'a_b.raw' }]);
  });

  it('writes to a chosen file, and reads it again', async () => {
    const { id } = await client.open(file(tinyQcow2(MIXED)));
    const handle = await scratch.file(pattern(1000), 'out.raw');
    const stages = new Set<string>();
    const job = client.start<'convert'>(
      { kind: 'convert', image: id, target: { kind: 'handle', handle }, verify: true },
      { progress: ({ stage }) => stages.add(stage) },
    );
    expect(await job.promise).toMatchObject({ name: 'out.raw', size: MIXED.size, verified: true });
    expect([...stages]).toEqual(['copying', 'finishing', 'verifying']);
    await expectGuest(await handle.getFile(), MIXED);
    expect(await scratch.names()).toEqual(['out.raw']);
  });

  it('does not replace the file that it reads', async () => {
    const handle = await scratch.file(tinyQcow2(MIXED), 'disk.qcow2');
    const source = await handle.getFile();
    const { id } = await client.open(source);
    const job = client.start<'convert'>({
      kind: 'convert',
      image: id,
      target: { kind: 'handle', handle },
      verify: true,
    });
    const error = await failure(job.promise);
    expect([error.code, error.details]).toEqual(['same-file', { name: 'disk.qcow2' }]);
    expect((await handle.getFile()).size).toBe(source.size);
  });

  it('removes the unfinished result when the source fails', async () => {
    const content = tinyQcow2(MIXED);
    // The first L2 table, entry 3: a compressed cluster. Its bytes become garbage.
    const entry = new DataView(content.buffer).getBigUint64(4 * 65536 + 3 * 8);
    const start = Number(entry & ((1n << 54n) - 1n));
    content.fill(0xff, start, start + 512);
    const { id } = await client.open(file(content));
    const left: LeftBehind[] = [];
    const listeners = { left: (what: LeftBehind) => left.push(what) };
    const inPrivate = client.start<'convert'>(
      { kind: 'convert', image: id, target: { kind: 'private', name: 'x.raw' }, verify: false },
      listeners,
    );
    const error = await failure(inPrivate.promise);
    expect([error.code, error.details]).toMatchObject([
      'unreadable-cluster',
      { guestOffset: 3 * 65536 },
    ]);
    expect(await client.privateFiles()).toEqual([]);
    expect(await unfinished()).toEqual([]);
    for (const [name, old] of [
      ['new.raw', 0],
      ['old.raw', 1000],
    ] as const) {
      const handle = await scratch.file(pattern(old), name);
      const target = { kind: 'handle', handle } as const;
      const job = client.start<'convert'>(
        { kind: 'convert', image: id, target, verify: false },
        listeners,
      );
      expect((await failure(job.promise)).code).toBe('unreadable-cluster');
    }
    expect(left).toEqual([
      { name: 'x.raw', state: 'removed' },
      { name: 'new.raw', state: 'removed' },
      { name: 'old.raw', state: 'untouched' },
    ]);
    expect(await scratch.names()).toEqual(['old.raw']);
  });

  it('says that the source has changed', async () => {
    const handle = await scratch.file(tinyQcow2(MIXED), 'changing.qcow2');
    const { id } = await client.open(await handle.getFile());
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await scratch.file(pattern(500_000), 'changing.qcow2');
    const target = { kind: 'private', name: 'x.raw' } as const;
    const job = client.start<'convert'>({ kind: 'convert', image: id, target, verify: true });
    const error = await failure(job.promise);
    expect([error.code, error.details]).toEqual(['file-changed', { name: 'changing.qcow2' }]);
    expect(await unfinished()).toEqual([]);
  });
});

describe('worker: cancel', () => {
  /** 256 MiB of data in a file of the disk: some seconds of work. */
  async function large(kind: 'data' | 'compressed'): Promise<number> {
    const clusters: TinyImage['clusters'] = new Map();
    const count = kind === 'data' ? 4000 : 1500;
    const bytes = pattern(65536, 1);
    if (kind === 'compressed') bytes.fill(7, 20_000);
    for (let index = 0; index < count; index++) clusters.set(index, { kind, bytes });
    const handle = await scratch.file(tinyQcow2({ size: count * 65536, clusters }), 'large.qcow2');
    return (await client.open(await handle.getFile())).id;
  }

  it.each([
    ['data', 'private'],
    ['compressed', 'private'],
    ['data', 'handle'],
  ] as const)('is answered within 0.1 s: %s to %s', { timeout: 120_000 }, async (kind, place) => {
    const image = await large(kind);
    const target =
      place === 'private'
        ? ({ kind: 'private', name: 'large.raw' } as const)
        : ({ kind: 'handle', handle: await scratch.file(new Uint8Array(0), 'large.raw') } as const);
    const times: number[] = [];
    for (let turn = 0; turn < 5; turn++) {
      const left: LeftBehind[] = [];
      let moving: () => void = () => undefined;
      const moved = new Promise<void>((resolve) => {
        moving = resolve;
      });
      const job = client.start<'convert'>(
        { kind: 'convert', image, target, verify: true },
        { progress: ({ done }) => done > 0 && moving(), left: (what) => left.push(what) },
      );
      const ended = failure(job.promise);
      await Promise.race([moved, ended]);
      const asked = performance.now();
      job.cancel();
      expect((await ended).code).toBe('cancelled');
      times.push(performance.now() - asked);
      expect(left).toEqual([{ name: 'large.raw', state: 'removed' }]);
      if (target.kind === 'handle') await scratch.file(new Uint8Array(0), 'large.raw');
    }
    times.sort((a, b) => a - b);
    // Two of five: a machine that is busy with something else adds to the time, never takes away.
    expect(times[1]).toBeLessThan(100);
    expect(await unfinished()).toEqual([]);
    expect(await client.privateFiles()).toEqual([]);
  });

  it('may come at once, twice, and too late', async () => {
    const { id } = await client.open(file(tinyQcow2(MIXED)));
    const job = client.start<'check'>({ kind: 'check', image: id });
    job.cancel();
    job.cancel();
    await job.promise.catch((error: unknown) => error);
    job.cancel();
    expect((await client.facts()).version).toBe(__APP_VERSION__);
  });
});

describe('worker: console', () => {
  async function run(
    line: string,
  ): Promise<{ code: number; out: string; err: string; files: string[] }> {
    const text = { out: '', err: '' };
    const job = client.start<'command'>(
      { kind: 'command', line },
      {
        output: (stream, piece) => {
          text[stream] += piece;
        },
      },
    );
    const { exitCode, files } = await job.promise;
    return { code: exitCode, ...text, files: files.map(({ name }) => name) };
  }

  it('works on the open files by name', async () => {
    const { id } = await client.open(file(tinyQcow2(MIXED), 'my disk.qcow2'));
    const info = await run('qemu-img info "my disk.qcow2"');
    expect(info).toMatchObject({ code: 0, err: '', files: [] });
    expect(info.out).toContain('image: my disk.qcow2\nfile format: qcow2\n');
    expect(await run("info 'my disk.qcow2'")).toEqual(info);
    const check = await run('check my\\ disk.qcow2');
    expect(check.out).toContain('No errors were found on the image.');
    await client.close(id);
    const gone = await run('info "my disk.qcow2"');
    expect(gone.code).toBe(1);
    expect(gone.err).toContain("Could not open 'my disk.qcow2'");
    expect(gone.err).toContain('No such file or directory');
  });

  it('keeps the files that it makes, and finds them again', async () => {
    const { id } = await client.open(file(tinyQcow2(MIXED), 'a.qcow2'));
    expect(await run('convert -O raw a.qcow2 made.raw')).toEqual({
      code: 0,
      out: '',
      err: '',
      files: ['made.raw'],
    });
    await expectGuest(await client.privateFile('made.raw'), MIXED);
    expect(await run('compare a.qcow2 made.raw')).toMatchObject({
      code: 0,
      out: 'Images are identical.\n',
    });
    await client.close(id);
  });

  it('never replaces an open file', async () => {
    const { id } = await client.open(file(tinyQcow2(MIXED), 'a.qcow2'));
    const result = await run('convert -O raw a.qcow2 a.qcow2');
    expect(result.code).toBe(1);
    expect(result.files).toEqual([]);
    expect(await client.privateFiles()).toEqual([]);
    await client.close(id);
  });

  it('says what it does not understand', async () => {
    expect((await run('info "a')).err).toContain('quotation mark');
    expect((await run('frobnicate')).code).toBe(1);
    expect((await run('')).code).toBe(1);
    expect(await unfinished()).toEqual([]);
  });
});
