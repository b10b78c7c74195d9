/** VDIs as VirtualBox makes them and QEMU does not: snapshots, other blocks, damage. */
import { describe, expect, it } from 'vitest';
import {
  checkImage,
  editDisk,
  inspect,
  isImageError,
  mapChain,
  MemoryStorage,
  openImage,
  readDisk,
  type Gate,
} from '../../src/engine/index.ts';
import { buildVdi, vdiUuid, vdiUuidText, type VdiSpec } from '../images/build-vdi.ts';
import { freshNoise } from '../images/noise.ts';

const MIB = 2 ** 20;
const content = (seed: number, length = MIB) => freshNoise(seed, length);

function file(spec: VdiSpec, name: string): MemoryStorage {
  return new MemoryStorage({ content: buildVdi(spec), name });
}

/** Blocks: 0 and 2 of the parent, 2 and 3 of the child; 1 reads as zeros in spite of the parent. */
const PARENT: VdiSpec = {
  size: 5 * MIB,
  uuid: vdiUuid(0x10),
  modification: vdiUuid(0x50),
  blocks: new Map([0, 1, 2].map((index) => [index, content(index)])),
};
const CHILD: VdiSpec = {
  size: 5 * MIB,
  parent: vdiUuid(0x10),
  parentModification: vdiUuid(0x50),
  blocks: new Map([
    [3, content(13)],
    [2, content(12)],
  ]),
  zeros: [1],
};
const EXPECTED: readonly Uint8Array[] = [
  content(0),
  new Uint8Array(MIB),
  content(12),
  content(13),
  new Uint8Array(MIB),
];

const give =
  (spec: VdiSpec): Gate =>
  () =>
    Promise.resolve(file(spec, 'parent.vdi'));

async function expectContent(disk: Awaited<ReturnType<typeof openImage>>, expected = EXPECTED) {
  for (const [index, bytes] of expected.entries()) {
    const read = await readDisk(disk, index * bytes.length, bytes.length);
    expect(Buffer.from(read).equals(bytes), `block ${index}`).toBe(true);
  }
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (isImageError(error)) return error.code;
    throw error;
  }
  return '';
}

describe('differencing', () => {
  it('shows the parent where it has nothing itself', async () => {
    const asked: string[] = [];
    const gate: Gate = (request) => {
      asked.push(`${request.kind} ${request.name} ${request.format} from ${request.from}`);
      return give(PARENT)(request);
    };
    const disk = await openImage(file(CHILD, 'child.vdi'), { lenient: true, gate });
    expect(asked).toEqual([`backing {${vdiUuidText(0x10)}}.vdi vdi from child.vdi`]);
    expect(disk.findings).toEqual([]);
    await expectContent(disk);
    const kinds: string[] = [];
    for await (const batch of mapChain(disk)) {
      for (const extent of batch) kinds.push(`${extent.kind} ${extent.depth}`);
    }
    expect(kinds).toEqual(['data 1', 'zero 0', 'data 0', 'data 0', 'zero 1']);
  });

  it('is refused where qemu-img refuses it', async () => {
    const opened = openImage(file(CHILD, 'child.vdi'), { gate: give(PARENT) });
    await expect(opened).rejects.toMatchObject({
      code: 'invalid-image',
      details: { message: 'unsupported VDI image (non-NULL link UUID)' },
    });
  });

  it('says what it is', async () => {
    const disk = await openImage(file(CHILD, 'child.vdi'), { lenient: true, mode: 'info' });
    const { description, backing } = await inspect(disk);
    expect(backing).toMatchObject({ name: `{${vdiUuidText(0x10)}}.vdi`, format: 'vdi' });
    const facts = new Map(description?.facts.map(({ key, value }) => [key, value]));
    expect(facts.get('subformat')).toBe('differencing');
    expect(facts.get('parent-uuid')).toBe(vdiUuidText(0x10));
    expect(facts.get('uuid')).toBe(vdiUuidText(1));
    expect(facts.get('creator')).toBe('<<< Oracle VM VirtualBox Disk Image >>>');
    const size = description?.fields.find(({ name }) => name === 'diskSize');
    expect(size).toMatchObject({ offset: 368, length: 8, value: String(5 * MIB) });
  });

  it('does not take another parent', async () => {
    const gate = give({ ...PARENT, uuid: vdiUuid(0x20) });
    const opened = openImage(file(CHILD, 'child.vdi'), { lenient: true, gate });
    await expect(opened).rejects.toMatchObject({
      code: 'parent-mismatch',
      details: { expected: vdiUuidText(0x10), found: vdiUuidText(0x20) },
    });
    const raw: Gate = () => Promise.resolve({ storage: new MemoryStorage(), format: 'raw' });
    const overRaw = openImage(file(CHILD, 'child.vdi'), { lenient: true, gate: raw });
    expect(await codeOf(overRaw)).toBe('parent-mismatch');
  });

  it('says that the parent was changed', async () => {
    const gate = give({ ...PARENT, modification: vdiUuid(0x60) });
    const disk = await openImage(file(CHILD, 'child.vdi'), { lenient: true, gate });
    expect(disk.findings?.map(({ kind }) => kind)).toEqual(['parent-changed']);
  });

  it('does not pass for zeros without its parent', async () => {
    const storage = file(CHILD, 'child.vdi');
    const disk = await openImage(storage, { lenient: true });
    expect(disk.backingMissing).toBe(true);
    expect(await codeOf(readDisk(disk, 0, 512))).toBe('unreadable-cluster');
    expect(await codeOf(readDisk(disk, 3 * MIB, 512))).toBe('');
    expect(await codeOf(editDisk(disk))).toBe('backing-missing');
  });

  it('is written to without losing what the parent has', async () => {
    const storage = file(CHILD, 'child.vdi');
    const gate = give(PARENT);
    const disk = await openImage(storage, { lenient: true, gate });
    const writer = await editDisk(disk);
    const expected = EXPECTED.map((bytes) => Uint8Array.from(bytes));
    // Within a block of the parent, over the edge into zeros, a whole block, and the last one.
    await writer.write(MIB - 1024, new Uint8Array(2048).fill(7));
    expected[0]?.fill(7, MIB - 1024);
    expected[1]?.fill(7, 0, 1024);
    await writer.zero(2 * MIB, MIB);
    expected[2]?.fill(0);
    await writer.write(4 * MIB + 512, new Uint8Array(512).fill(8));
    expected[4]?.fill(8, 512, 1024);
    await writer.flush();
    const again = await openImage(storage, { lenient: true, gate });
    await expectContent(again, expected);
    expect((await checkImage(again)).corruptions).toBe(0);
    const info = await inspect(again);
    expect(info.description?.fields.find(({ name }) => name === 'allocated')?.value).toBe('5');
  });

  it('hides the parent with zeros that take no room', async () => {
    const storage = file({ ...CHILD, zeros: [] }, 'child.vdi');
    const gate = give(PARENT);
    const { size } = storage;
    const writer = await editDisk(await openImage(storage, { lenient: true, gate }));
    await writer.zero(0, 2 * MIB);
    await writer.flush();
    expect(storage.size).toBe(size);
    const again = await openImage(storage, { lenient: true, gate });
    await expectContent(again, [new Uint8Array(2 * MIB)]);
  });
});

describe('unusual headers', () => {
  it.each([
    ['small blocks', { blockSize: 4096 }],
    ['large blocks', { blockSize: 2 * MIB }],
    ['something in front of each block', { blockExtra: 512 }],
    ['odd places', { mapOffset: 600, alignment: 8 }],
  ])('%s are read and written leniently only', async (_, more) => {
    const blockSize = 'blockSize' in more ? more.blockSize : MIB;
    const blocks = new Map([
      [2, content(1, blockSize)],
      [0, content(2, blockSize)],
    ]);
    const storage = file({ size: 4 * blockSize, blocks, ...more }, 'image.vdi');
    expect(await codeOf(openImage(storage, { format: 'vdi' }))).toBe('invalid-image');
    const disk = await openImage(storage, { lenient: true });
    const nothing = new Uint8Array(blockSize);
    const expected = [content(2, blockSize), nothing, content(1, blockSize), nothing];
    await expectContent(disk, expected);
    const writer = await editDisk(disk);
    await writer.write(3 * blockSize, new Uint8Array(512).fill(3));
    await writer.flush();
    const last = new Uint8Array(blockSize).fill(3, 0, 512);
    await expectContent(await openImage(storage, { lenient: true }), [
      ...expected.slice(0, 3),
      last,
    ]);
  });
});

describe('damage', () => {
  const sound = (): MemoryStorage => file({ ...PARENT }, 'image.vdi');

  it('a file that ends within its block map is not read', async () => {
    const storage = sound();
    await storage.resize(520);
    await expect(openImage(storage, { lenient: true })).rejects.toMatchObject({
      details: { problem: 'truncated' },
    });
  });

  it('blocks behind the end of the file are not zeros', async () => {
    const storage = sound();
    await storage.resize(storage.size - MIB);
    const disk = await openImage(storage);
    expect(await codeOf(readDisk(disk, MIB, MIB))).toBe('');
    expect(await codeOf(readDisk(disk, 2 * MIB, 512))).toBe('unreadable-cluster');
    const report = await checkImage(disk);
    expect(report.findingCounts).toEqual({ 'block-outside': 1 });
    expect(report.corruptions).toBe(0);
    expect(await codeOf(editDisk(disk))).toBe('image-damaged');
  });

  it.each([
    ['one block twice', 512 + 4, 0],
    ['a gap between the blocks', 512 + 4, 3],
    ['a counter that is too low', 388, 2],
    ['a counter that is too high', 388, 4],
    ['data within the map', 344, 512],
  ])('nothing is written where there is %s', async (_, at, value) => {
    const storage = sound();
    await storage.write(at, Uint8Array.of(value & 255, value >> 8, 0, 0));
    expect(await codeOf(editDisk(await openImage(storage)))).toBe('image-damaged');
  });
});
