/** Images that QEMU's own tests brought up (scripts/iotests.mjs) and that we had got wrong. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { available, expectSame, make } from './programs.ts';
import { Qcow2Editor } from './qcow2-editor.ts';

let folder = '';
let path = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'iotests-'));
  path = join(folder, 'image.qcow2');
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

const FEATURE_NAMES = 0x6803f857;

/** An entry of the feature name table. */
function entry(type: number, bit: number, name: string, length = 48): Buffer {
  const bytes = Buffer.alloc(length);
  bytes.set([type, bit]);
  bytes.write(name, 2, 'latin1');
  return bytes;
}

describe.skipIf(!available)('names of unknown features', () => {
  const whole = entry(0, 61, 'sixty-one');
  it.each<[string, Buffer[], (readonly [number, Uint8Array])[]?]>([
    ['an entry cut short', [entry(0, 63, 'Test feature', 14)]],
    ['the last entry cut short', [whole, entry(0, 63, 'Test feature', 14)]],
    ['in the order of the table', [entry(0, 63, 'b'), whole, entry(0, 62, 'a')]],
    ['the first of two', [entry(0, 63, 'first'), entry(0, 63, 'second')]],
    ['none behind an empty one', [entry(0, 62, ''), entry(0, 63, 'hidden')]],
    ['other sets', [entry(1, 63, 'compatible'), entry(2, 63, 'autoclear'), entry(3, 63, 'none')]],
    ['a name as long as can be', [entry(0, 63, 'x'.repeat(46)), whole]],
    ['two tables', [entry(0, 63, 'earlier')], [[FEATURE_NAMES, whole]]],
    ['a fault behind', [entry(0, 63, 'before')], [[0xe2792aca, Buffer.alloc(40)]]],
  ])('%s', async (_, names, more = []) => {
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', path, '1M']);
    const image = new Qcow2Editor(path);
    for (const bit of [61, 62, 63]) image.setBit('incompatible', bit);
    image.setExtensions([[FEATURE_NAMES, Buffer.concat(names)], ...more]);
    image.save(path);
    const { exitCode } = await expectSame(['info', path]);
    expect(exitCode).toBe(1);
  });
});
