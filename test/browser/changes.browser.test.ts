import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ImageError } from '../../src/engine/errors.ts';
import { Change, MemoryStorage, readPadded } from '../../src/engine/index.ts';
import type { Edit, OpenedImage, SaveResult, Way } from '../../src/worker/api.ts';
import { EngineClient } from '../../src/worker/client.ts';
import { Scratch } from '../storage/browser-files.ts';
import { expectBytes, pattern } from '../storage/conformance.ts';
import { type TinyImage, tinyQcow2 } from './tiny-images.ts';

const MIB = 2 ** 20;
const scratch = new Scratch('changes');
let client = new EngineClient();
const IMAGE: TinyImage = {
  size: 64 * MIB,
  clusters: new Map([
    [0, { kind: 'data', bytes: pattern(65536, 1) }],
    [5, { kind: 'compressed', bytes: pattern(3000, 3) }],
    [900, { kind: 'data', bytes: pattern(100, 5) }],
  ]),
};
const BYTES = tinyQcow2(IMAGE);

async function failure(promise: Promise<unknown>): Promise<ImageError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ImageError);
  return error as ImageError;
}

async function edit(image: number, edit: Edit): Promise<OpenedImage> {
  const { opened, report } = await client.start<'edit'>({ kind: 'edit', image, edit }).promise;
  expect(report.corruptions + report.leaks + report.checkErrors).toBe(0);
  return opened;
}

function save(image: number, way: Way): Promise<SaveResult> {
  return client.start<'save'>({ kind: 'save', image, way }).promise;
}

const SNAPSHOT: Edit = { kind: 'create-snapshot', name: 'before' };
const REPAIR: Edit = { kind: 'repair', choice: { classes: ['safe'] } };

async function bytesOf(file: Blob): Promise<Uint8Array> {
  return new Uint8Array(await file.arrayBuffer());
}

/** A file in private storage as an earlier session left it. */
async function storedFile(name: string, content = BYTES): Promise<File> {
  const root = await navigator.storage.getDirectory();
  const results = await root.getDirectoryHandle('results', { create: true });
  const handle = await results.getFileHandle(name, { create: true });
  const stream = await handle.createWritable();
  await stream.write(content);
  await stream.close();
  return handle.getFile();
}

async function clean(): Promise<void> {
  for (const { name } of await client.privateFiles()) await client.deletePrivateFile(name);
  await scratch.clear();
}

beforeAll(clean);
afterEach(clean);
afterAll(() => client.stop());

describe('changes: made on an overlay', () => {
  it('each shows the new state, the last is taken back, all are', async () => {
    const { id, info, pending } = await client.open(new File([BYTES], 'a.qcow2'));
    expect(pending).toBeUndefined();
    expect(info.snapshots).toEqual([]);

    const one = await edit(id, SNAPSHOT);
    expect(one.info.snapshots.map(({ name }) => name)).toEqual(['before']);
    expect(one.pending?.edits).toHaveLength(1);
    expect(one.pending?.before.size).toBe(BYTES.length);
    expect(one.pending?.after.size).toBe(one.info.fileSize);
    expect(one.pending?.bytes).toBeGreaterThan(0);
    expect(one.pending?.edits[0]?.taken).toBeGreaterThan(0);

    const two = await edit(id, { kind: 'resize', size: 128 * MIB });
    expect(two.info.virtualSize).toBe(128 * MIB);
    expect(two.pending?.edits.map(({ edit: { kind } }) => kind)).toEqual([
      'create-snapshot',
      'resize',
    ]);

    const back = await client.undoEdit(id);
    expect(back.info.virtualSize).toBe(64 * MIB);
    expect(back.info.snapshots).toHaveLength(1);
    expect(back.pending).toEqual(one.pending);

    const clear = await client.clearEdits(id);
    expect(clear.info).toEqual(info);
    expect(clear.pending).toBeUndefined();
    await client.close(id);
  });

  it('one that fails leaves the ones before as they are', async () => {
    const { id } = await client.open(new File([BYTES], 'a.qcow2'));
    await edit(id, SNAPSHOT);
    const snapshot = { id: '7', name: 'nobody' };
    const request = {
      kind: 'edit',
      image: id,
      edit: { kind: 'apply-snapshot', snapshot },
    } as const;
    expect((await failure(client.start<'edit'>(request).promise)).code).toBe('snapshot-missing');
    const { info, pending } = await edit(id, { kind: 'create-snapshot', name: 'second' });
    expect(pending?.edits).toHaveLength(2);
    expect(info.snapshots.map(({ name }) => name)).toEqual(['before', 'second']);
    await client.close(id);
  });

  it('bitmaps are added, cleared and removed', async () => {
    const { id } = await client.open(new File([BYTES], 'a.qcow2'));
    const added = await edit(id, { kind: 'add-bitmap', name: 'daily' });
    expect(added.info.qcow2?.bitmaps).toMatchObject([{ name: 'daily', flags: ['auto'] }]);
    await edit(id, { kind: 'clear-bitmap', name: 'daily' });
    const removed = await edit(id, { kind: 'remove-bitmap', name: 'daily' });
    expect(removed.info.qcow2?.bitmaps).toEqual([]);
    expect(removed.pending?.edits).toHaveLength(3);
    await client.close(id);
  });

  it('a repair frees a leak, is planned before, and taken back', async () => {
    const leaky = BYTES.slice();
    // One more reference than there is, in the refcount block of the third cluster.
    const view = new DataView(leaky.buffer);
    const last = BYTES.length / 65536 - 1;
    const at = 2 * 65536 + 2 * last;
    view.setUint16(at, view.getUint16(at) + 1);
    const { id } = await client.open(new File([leaky], 'a.qcow2'));
    const { repair: plan } = await client.start<'foresee'>({
      kind: 'foresee',
      image: id,
      edit: REPAIR,
    }).promise;
    expect(plan?.before).toMatchObject({ leaks: 1 });
    expect(plan?.after).toMatchObject({ leaks: 0, corruptions: 0 });
    const { pending } = await edit(id, REPAIR);
    expect(pending?.before.findings).toMatchObject({ leaks: 1 });
    expect(pending?.after.findings).toMatchObject({ leaks: 0 });
    expect((await client.undoEdit(id)).pending).toBeUndefined();
    await client.close(id);
  });

  it('what one would do is said before', async () => {
    const { id } = await client.open(new File([BYTES], 'a.qcow2'));
    const { info } = await edit(id, SNAPSHOT);
    const snapshot = { id: info.snapshots[0]?.id ?? '', name: 'before' };
    const request = {
      kind: 'foresee',
      image: id,
      edit: { kind: 'delete-snapshot', snapshot },
    } as const;
    const { freed } = await client.start<'foresee'>(request).promise;
    expect(freed).toBeGreaterThan(0);
    const shorter = { kind: 'resize', size: 32 * MIB } as const;
    const { resize } = await client.start<'foresee'>({ kind: 'foresee', image: id, edit: shorter })
      .promise;
    expect(resize).toMatchObject({ oldSize: 64 * MIB, newSize: 32 * MIB, cut: [] });
    await client.close(id);
  });
});

/** An image with something wrong in it. Clusters: 2 refcounts, 3 L1, 4 L2, 5 data of the guest's first. */
function damaged(wound: (view: DataView) => void): Uint8Array<ArrayBuffer> {
  const bytes = BYTES.slice();
  wound(new DataView(bytes.buffer));
  return bytes;
}

const L2 = 4 * 65536;
const TOO_LOW: [string, Uint8Array<ArrayBuffer>][] = [
  ['zero', damaged((view) => view.setUint16(2 * 65536 + 5 * 2, 0))],
  ['low', damaged((view) => view.setBigUint64(L2 + 900 * 8, view.getBigUint64(L2)))],
];

describe('changes: of damaged images', () => {
  it.each(TOO_LOW)('none where free clusters cannot be known: %s', async (_name, bytes) => {
    const { id, info } = await client.open(new File([bytes], 'a.qcow2'));
    for (const edit of [
      SNAPSHOT,
      { kind: 'resize', size: 128 * MIB },
      { kind: 'add-bitmap', name: 'daily' },
    ] satisfies Edit[]) {
      const error = await failure(client.start<'edit'>({ kind: 'edit', image: id, edit }).promise);
      expect(error.code).toBe('image-damaged');
      expect(error.details).toMatchObject({ name: 'a.qcow2' });
    }
    // Nothing is pending: there is nothing to be saved.
    expect((await failure(save(id, { kind: 'patch' }))).code).toBe('internal');
    expect((await client.clearEdits(id)).info).toEqual(info);
    await client.close(id);
  });

  it('the file is as it was, after what was refused', async () => {
    const [[, bytes] = ['', BYTES]] = TOO_LOW;
    const handle = await scratch.file(bytes, 'a.qcow2');
    const { id } = await client.open(await handle.getFile());
    const request = { kind: 'edit', image: id, edit: SNAPSHOT } as const;
    expect((await failure(client.start<'edit'>(request).promise)).code).toBe('image-damaged');
    expect((await failure(save(id, { kind: 'local', handle, undo: true }))).code).toBe('internal');
    expectBytes(await bytesOf(await handle.getFile()), bytes);
    await client.close(id);
  });

  it('after a repair, all of them', async () => {
    const [[, bytes] = ['', BYTES]] = TOO_LOW;
    const { id } = await client.open(new File([bytes], 'a.qcow2'));
    const repaired = await edit(id, REPAIR);
    expect(repaired.pending?.before.findings?.corruptions).toBeGreaterThan(0);
    expect((await edit(id, SNAPSHOT)).info.snapshots).toHaveLength(1);
    await client.close(id);
  });

  it('damage that says nothing of free clusters keeps nobody from a snapshot', async () => {
    // A reserved bit of the first L2 entry. Seen from the snapshot, too.
    const bytes = damaged((view) => view.setUint8(L2 + 7, view.getUint8(L2 + 7) | 8));
    const { id } = await client.open(new File([bytes], 'a.qcow2'));
    const request = { kind: 'edit', image: id, edit: SNAPSHOT } as const;
    const { opened, report } = await client.start<'edit'>(request).promise;
    expect(opened.info.snapshots).toHaveLength(1);
    expect(opened.pending?.before.findings?.corruptions).toBe(1);
    expect(report.findingCounts).toEqual({ 'l2-reserved-bits': 2 });
    await client.close(id);
  });

  it('a repair that mends a part may show what could not be seen before', async () => {
    // The last data cluster is said to be within the L2 table, at an odd place.
    const bytes = damaged((view) => view.setUint16(L2 + 900 * 8 + 6, 0x200));
    const { id } = await client.open(new File([bytes], 'a.qcow2'));
    const request = { kind: 'edit', image: id, edit: REPAIR } as const;
    const { report } = await client.start<'edit'>(request).promise;
    expect(report.findingCounts).toEqual({ 'data-unaligned': 1, truncated: 1 });
    await client.close(id);
  });
});

describe('changes: saved', () => {
  it('as a copy that is compared, and the file is as it was', async () => {
    const original = new File([BYTES], 'a.qcow2');
    const { id } = await client.open(original);
    const { info } = await edit(id, SNAPSHOT);
    const target = { kind: 'private', name: 'b.qcow2' } as const;
    const saved = await save(id, { kind: 'copy', target, verify: true });
    expect(saved).toMatchObject({ way: 'copy', name: 'b.qcow2', verified: true });
    const copy = await client.privateFile('b.qcow2');
    expect(copy.size).toBe(info.fileSize);
    const again = await client.open(copy);
    expect(again.info.snapshots).toEqual(info.snapshots);
    const { promise } = client.start<'check'>({ kind: 'check', image: again.id });
    expect(await promise).toMatchObject({ corruptions: 0, leaks: 0, checkErrors: 0 });
    expectBytes(await bytesOf(original), BYTES);
    await client.close(id);
  });

  it('into the file itself, undone by the undo file', async () => {
    const handle = await scratch.file(BYTES, 'a.qcow2');
    const { id } = await client.open(await handle.getFile());
    const { info } = await edit(id, SNAPSHOT);
    const saved = await save(id, { kind: 'local', handle, undo: true });
    expect(saved.undo?.name).toMatch(/^a\.qcow2\.\d{8}-\d{6}\.undo$/);
    await client.close(id);

    const changed = await handle.getFile();
    const second = await client.open(changed);
    expect(second.info.snapshots).toEqual(info.snapshots);
    const undo = await client.privateFile(saved.undo?.name ?? '');
    await edit(second.id, { kind: 'patch', file: undo });
    await save(second.id, { kind: 'local', handle, undo: false });
    expectBytes(await bytesOf(await handle.getFile()), BYTES);
    await client.close(second.id);
  });

  it('not into a file that somebody else has changed', async () => {
    const handle = await scratch.file(BYTES, 'a.qcow2');
    const { id } = await client.open(await handle.getFile());
    await edit(id, SNAPSHOT);
    const other = new Uint8Array([...BYTES, 0]);
    await scratch.file(other, 'a.qcow2');
    const error = await failure(save(id, { kind: 'local', handle, undo: true }));
    expect(error.code).toBe('file-changed');
    expectBytes(await bytesOf(await handle.getFile()), other);
    expect(await client.privateFiles()).toEqual([]);
    await client.close(id);
  });

  it('into a file of private storage, undone by the undo file', async () => {
    const { id } = await client.open(await storedFile('p.qcow2'));
    const { info } = await edit(id, SNAPSHOT);
    const saved = await save(id, { kind: 'private', name: 'p.qcow2', undo: true });
    expect(saved.verified).toBe(true);
    await client.close(id);
    const second = await client.open(await client.privateFile('p.qcow2'));
    expect(second.info.snapshots).toEqual(info.snapshots);
    await edit(second.id, {
      kind: 'patch',
      file: await client.privateFile(saved.undo?.name ?? ''),
    });
    await save(second.id, { kind: 'private', name: 'p.qcow2', undo: false });
    expectBytes(await bytesOf(await client.privateFile('p.qcow2')), BYTES);
    await client.close(second.id);
  });

  it('by one at a time: another one is told', async () => {
    const handle = await scratch.file(BYTES, 'a.qcow2');
    const { id } = await client.open(await handle.getFile());
    await edit(id, SNAPSHOT);
    let release: () => void = () => undefined;
    let locked: Promise<void> | undefined;
    await new Promise<void>((granted) => {
      locked = navigator.locks.request('change:a.qcow2', () => {
        granted();
        return new Promise<void>((resolve) => (release = resolve));
      });
    });
    const error = await failure(save(id, { kind: 'local', handle, undo: false }));
    expect(error.code).toBe('being-changed');
    release();
    await locked;
    const heard = new Promise<unknown>((resolve) => {
      const channel = new BroadcastChannel('changes');
      channel.onmessage = ({ data }) => {
        channel.close();
        resolve(data);
      };
    });
    await save(id, { kind: 'local', handle, undo: false });
    expect(await heard).toEqual({ name: 'a.qcow2' });
    await client.close(id);
  });
});

/** Starts over as after a crash of the tab: the old worker gets no chance to say anything. */
function crash(): void {
  client.stop();
  client = new EngineClient();
}

/** What a file with a snapshot is, byte for byte, as a change of private storage gives it. */
async function withSnapshot(): Promise<Uint8Array> {
  const { id } = await client.open(new File([BYTES], 'model.qcow2'));
  await edit(id, SNAPSHOT);
  await save(id, { kind: 'copy', target: { kind: 'private', name: 'model.qcow2' }, verify: true });
  await client.close(id);
  return bytesOf(await client.privateFile('model.qcow2'));
}

describe('changes: interrupted', () => {
  it('the worker is killed at any moment: the file is the old one or the new one', async () => {
    const outcomes = { old: 0, new: 0 };
    for (let round = 0; round < 12; round++) {
      const name = `k${round}.qcow2`;
      const { id } = await client.open(await storedFile(name));
      await edit(id, SNAPSHOT);
      const saving = save(id, { kind: 'private', name, undo: true }).catch(() => undefined);
      const wait = 8 * round;
      await new Promise((resolve) => setTimeout(resolve, wait));
      crash();
      await saving;
      const said = await client.recoveredChanges();
      const file = await client.privateFile(name);
      const isOld = expectOldOrSound(await bytesOf(file));
      const opened = await client.open(file);
      const { promise } = client.start<'check'>({ kind: 'check', image: opened.id });
      expect(await promise).toMatchObject({ corruptions: 0, leaks: 0, checkErrors: 0 });
      expect(opened.info.snapshots).toHaveLength(isOld ? 0 : 1);
      for (const one of said) {
        expect(one).toMatchObject({ name, outcome: isOld ? 'dropped' : 'finished' });
      }
      outcomes[isOld ? 'old' : 'new'] += 1;
      expect(await journals()).toEqual([]);
    }
    expect(outcomes.old).toBeGreaterThan(0);
  });

  it('a change that had happened is finished, from wherever it stopped', async () => {
    const after = await withSnapshot();
    for (const written of [0, 1, 2, 5, Infinity]) {
      const { file, journal } = await interrupted(BYTES, after, written);
      await storedFile('j.qcow2', file);
      await put('journals', 'j.qcow2', journal);
      crash();
      expect(await client.recoveredChanges()).toEqual([
        { name: 'j.qcow2', outcome: 'finished', code: undefined },
      ]);
      expectBytes(await bytesOf(await client.privateFile('j.qcow2')), after);
      expect(await journals()).toEqual([]);
    }
  });

  it('a change that had not happened is dropped', async () => {
    const { journal } = await interrupted(BYTES, await withSnapshot(), 0);
    await storedFile('j.qcow2');
    await put('journals', 'j.qcow2', journal.subarray(0, journal.length - 1));
    crash();
    expect(await client.recoveredChanges()).toEqual([
      { name: 'j.qcow2', outcome: 'dropped', code: undefined },
    ]);
    expectBytes(await bytesOf(await client.privateFile('j.qcow2')), BYTES);
  });

  it('a file that somebody else has changed since is not touched', async () => {
    const { journal } = await interrupted(BYTES, await withSnapshot(), 0);
    const other = BYTES.slice().fill(7, 0, 512);
    await storedFile('j.qcow2', other);
    await put('journals', 'j.qcow2', journal);
    crash();
    expect(await client.recoveredChanges()).toEqual([
      { name: 'j.qcow2', outcome: 'failed', code: 'journal-foreign' },
    ]);
    expectBytes(await bytesOf(await client.privateFile('j.qcow2')), other);
    await client.deletePrivateFile('j.qcow2');
    expect(await journals()).toEqual([]);
  });
});

/** Whether it is the old file. What is not has to be judged by its check. */
function expectOldOrSound(bytes: Uint8Array): boolean {
  return bytes.length === BYTES.length && bytes.every((byte, at) => byte === BYTES[at]);
}

async function put(folder: string, name: string, content: Uint8Array<ArrayBuffer>): Promise<void> {
  const root = await navigator.storage.getDirectory();
  const parent = await root.getDirectoryHandle(folder, { create: true });
  const stream = await (await parent.getFileHandle(name, { create: true })).createWritable();
  await stream.write(content);
  await stream.close();
}

async function journals(): Promise<string[]> {
  const root = await navigator.storage.getDirectory();
  const folder = await root.getDirectoryHandle('journals', { create: true });
  const names: string[] = [];
  for await (const name of folder.keys()) names.push(name);
  return names;
}

/** A file and its journal after the change from `before` to `after` stopped at its n-th write. */
async function interrupted(before: Uint8Array, after: Uint8Array, written: number) {
  const file = new MemoryStorage({ name: 'j.qcow2' });
  await file.write(0, before);
  let left = written;
  const write = file.write.bind(file);
  const journal = new MemoryStorage({ name: 'journal' });
  const change = new Change(file, {
    journal: {
      ...{ name: 'journal', owner: '' },
      find: () => Promise.resolve(undefined),
      create: () => Promise.resolve(journal),
      remove: () => Promise.resolve(),
    },
  });
  await change.storage.write(0, after);
  file.write = (offset, source) => {
    if (left-- <= 0) throw new ImageError('internal', { reason: 'dead' });
    return write(offset, source);
  };
  let kept: Uint8Array<ArrayBuffer> = new Uint8Array();
  const resize = journal.resize.bind(journal);
  // The last state of the journal before it is made void.
  journal.resize = async (size) => {
    if (size === 0) kept = await readPadded(journal, 0, journal.size);
    return resize(size);
  };
  const isWhole = await change.apply().then(
    () => true,
    () => false,
  );
  expect(isWhole).toBe(written === Infinity);
  if (kept.length === 0) kept = await readPadded(journal, 0, journal.size);
  return { file: await readPadded(file, 0, file.size), journal: kept };
}
