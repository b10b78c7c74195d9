/** Other sizes and other passphrases for images of all formats, by the app and by the real program. */
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Edit } from '../../src/worker/api.ts';
import { luksHeader, makeMasterKey, type LuksFormat } from '../images/luks-format.ts';
import { createEncrypted, secrets } from './luks.ts';
import { available, make, qemuImg } from './programs.ts';
import { enterFolder, leaveFolder } from './side-by-side.ts';
import { Case, EditBench, refusal } from './worker-edits.ts';

// There are no threads of a browser here.
vi.mock('../../src/worker/codec-pool.ts', async () => {
  const { InlinePool } = await import('../../src/engine/index.ts');
  const pool = new InlinePool();
  return { codecPool: () => pool };
});

// Deriving a key takes two seconds otherwise, each time.
vi.mock('../../src/engine/index.ts', async (original) => ({
  ...(await original<object>()),
  LUKS_ITER_TIME: 20,
}));

const bench = new EditBench();
const MIB = 1024 * 1024;
const IO = ['write -P 1 0 1M', 'write -P 2 3M 300k', 'write -P 3 7M 1M'];

beforeAll(() => {
  enterFolder('edits-files');
});
afterAll(leaveFolder);

describe.skipIf(!available)('another size', () => {
  test.each(['raw', 'qed', 'parallels', 'qcow', 'vdi', 'vhdx', 'vmdk', 'vpc'])(
    '%s',
    async (format) => {
      const at = new Case(bench, format);
      const name = `a.${format}`;
      await at.make(name, '8M', IO, '-f', format);
      const { id, info } = await bench.open(at.path(name));
      // A VHD is as large as its geometry says.
      let now = info.virtualSize;
      for (const size of [12 * MIB, 4 * MIB]) {
        const real = await qemuImg(
          ['resize', '-q', '-f', format, '--shrink', name, String(size)],
          at.real,
        );
        const edit: Edit = { kind: 'resize', size };
        const { resize } = await bench.foresee(id, edit);
        expect(resize?.newSize).toBe(size);
        if (real.exitCode !== 0) {
          expect(await refusal(bench.edit(id, edit)), real.stderr).toBe('edit-refused format');
          expect((await bench.changes.undo(id, 0)).info.virtualSize).toBe(now);
          continue;
        }
        const { opened } = await bench.edit(id, edit);
        expect(opened.info.virtualSize).toBe(size);
        expect(opened.pending?.edits.at(-1)?.oldSize).toBe(now);
        now = size;
        await at.expectSame(id, name, format);
      }
    },
  );
});

const bytes = (text: string) => new TextEncoder().encode(text);

/** Whether the real program opens it with that passphrase. */
async function opens(path: string, passphrase: string, isVolume: boolean): Promise<boolean> {
  const options = isVolume
    ? `driver=luks,key-secret=s,file.filename=${path}`
    : `driver=qcow2,encrypt.key-secret=s,file.filename=${path}`;
  const object = `secret,id=s,data=${passphrase}`;
  const args = ['dd', '--object', object, '--image-opts', `if=${options}`, `of=${path}.out`];
  return (await qemuImg([...args, 'bs=512', 'count=1'])).exitCode === 0;
}

/** A LUKS volume that takes no seconds to be made and to be unlocked. */
function volume(passphrase: string): Buffer {
  const format: LuksFormat = {
    ...({
      bits: 256,
      mode: 'xts',
      vectors: 'plain64',
      hash: 'sha256',
      masterIterations: 1000,
    } as const),
    slots: { 0: { passphrase, iterations: 1000 } },
  };
  return Buffer.concat([luksHeader(format, makeMasterKey(format)), Buffer.alloc(MIB)]);
}

describe.skipIf(!available)('passphrases', () => {
  test.each(['qcow2', 'luks'])('%s', async (format) => {
    const at = new Case(bench, `keys-${format}`);
    const path = at.path('a.img');
    const isVolume = format === 'luks';
    if (isVolume) writeFileSync(path, volume('old'));
    else await createEncrypted(path, '4M', [], secrets('old'));
    const { id } = await bench.open(path);
    await bench.images.unlock(id, '', bytes('old'));
    const [passphrase, current] = [bytes('new'), bytes('old')];
    const add = { kind: 'add-passphrase', passphrase, current, slot: 3 } as const;
    const { opened } = await bench.edit(id, add);
    const none = new Uint8Array(0);
    expect(opened.pending?.edits[0]?.edit).toEqual({ ...add, passphrase: none, current: none });
    expect([...passphrase, ...current]).toEqual([0, 0, 0, 0, 0, 0]);
    expect(opened.chain[0]?.state).toBe('open');
    expect(activeSlots(opened)).toEqual([0, 3]);
    await bench.changes.undo(id, 1);
    await bench.changes.redo(id);

    await bench.edit(id, { kind: 'remove-passphrase', slot: 0 });
    await bench.save(id, path);
    expect(await opens(path, 'new', isVolume)).toBe(true);
    expect(await opens(path, 'old', isVolume)).toBe(false);
    const last = bench.edit(id, { kind: 'remove-passphrase', slot: 3 });
    expect(await refusal(last)).toBe('key-slot last');
    const empty = bench.edit(id, { kind: 'remove-passphrase', slot: 5 });
    expect(await refusal(empty)).toBe('key-slot not-in-use');
    const wrong = { ...add, passphrase: bytes('x'), current: bytes('old'), slot: undefined };
    expect(await refusal(bench.edit(id, wrong))).toBe('wrong-passphrase');
    expect([...wrong.passphrase, ...wrong.current]).toEqual([0, 0, 0, 0]);
    const inUse = { ...add, passphrase: bytes('x'), current: bytes('new') };
    expect(await refusal(bench.edit(id, inUse))).toBe('key-slot in-use');
    const { pending } = await bench.changes.undo(id, 0);
    expect(pending?.edits).toHaveLength(2);
    expect(readFileSync(path).includes('new')).toBe(false);
  });

  test('only where there are any', async () => {
    const at = new Case(bench, 'no-keys');
    await at.make('a.img', '1M', [], '-f', 'qcow2');
    const { id } = await bench.open(at.path('a.img'));
    const passphrase = bytes('new');
    const edit: Edit = { kind: 'add-passphrase', passphrase, current: bytes('x'), slot: undefined };
    expect(await refusal(bench.edit(id, edit))).toBe('edit-refused format');
    expect([...passphrase]).toEqual([0, 0, 0]);
    await make('qemu-img', ['check', '-q', at.path('a.img')]);
  });
});

function activeSlots({ chain }: Awaited<ReturnType<EditBench['open']>>): number[] {
  const slots = chain[0]?.luks?.slots ?? [];
  return slots.flatMap(({ active }, index) => (active ? [index] : []));
}
