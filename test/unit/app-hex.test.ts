import { describe, expect, it } from 'vitest';
import { parseAddress } from '../../src/app/hex-address.ts';
import { ByteSource, NOT_THERE_YET, PAGE, UNREADABLE } from '../../src/app/hex-bytes.ts';
import { copyBytes, inspect } from '../../src/app/hex-inspect.ts';
import { parseHex, textPatterns } from '../../src/app/hex-pattern.ts';
import { hexRow, layoutFor, sortFields } from '../../src/app/hex-rows.ts';
import { lastTop, rowAt, scrollFor, trackHeight } from '../../src/app/hex-scroll.ts';
import type { Bytes, StructureNode } from '../../src/worker/api.ts';

describe('addresses that people write', () => {
  const context = { size: 2 ** 40, current: 1000, clusterSize: 65536 };
  const at = (text: string) => parseAddress(text, context);

  it.each([
    ['0x30000', 0x30000],
    ['0X3_0000', 0x30000],
    ['196608', 196608],
    ['196,608', 196608],
    ['3fah', 0x3fa],
    ['5e00', 0x5e00],
    ['64k', 65536],
    ['64 KiB', 65536],
    ['1.5G', 1.5 * 2 ** 30],
    ['10 MB', 10 * 2 ** 20],
    ['512 bytes', 512],
    ['+512', 1512],
    ['-0x10', 984],
    ['begin', 0],
    ['end', 2 ** 40 - 1],
    ['结尾', 2 ** 40 - 1],
    ['cluster 3', 3 * 65536],
    ['簇3', 3 * 65536],
    ['sector 2', 1024],
  ])('%s', (text, offset) => expect(at(text)).toEqual({ offset }));

  it.each([
    ['', 'empty'],
    ['hello', 'unreadable'],
    ['0x', 'unreadable'],
    ['1.2.3', 'unreadable'],
    ['+', 'unreadable'],
    ['2T', 'behind'],
    ['0xffffffffffffffffff', 'behind'],
    ['-2000', 'before'],
  ])('%s is refused', (text, problem) => expect(at(text)).toEqual({ problem }));
});

describe('patterns', () => {
  const hex = (text: string) => {
    const parsed = parseHex(text);
    return 'problem' in parsed ? parsed.problem : parsed.patterns.map((one) => [...one]);
  };

  it('reads hex in all its spellings', () => {
    const magic = [[0x51, 0x46, 0x49, 0xfb]];
    for (const text of [
      '51 46 49 fb',
      '514649FB',
      '0x51, 0x46,0x49 0xfb',
      '\\x51\\x46\\x49\\xfb',
    ]) {
      expect(hex(text), text).toEqual(magic);
    }
    expect(hex('1 2 a')).toEqual([[1, 2, 10]]);
  });

  it('says what is wrong', () => {
    expect(hex('  ')).toBe('empty');
    expect(hex('51 4g')).toBe('not-hex');
    expect(hex('51 464')).toBe('half');
    expect(hex('00'.repeat(257))).toBe('too-long');
  });

  it('has text in both codes', () => {
    const parsed = textPatterns('Aé');
    expect('patterns' in parsed && parsed.patterns.map((one) => [...one])).toEqual([
      [0x41, 0xc3, 0xa9],
      [0x41, 0, 0xe9, 0],
    ]);
    expect(textPatterns('a'.repeat(129))).toEqual({ problem: 'too-long' });
  });
});

describe('readings of bytes', () => {
  it('reads numbers in both orders, exactly, and addresses only inside', () => {
    const bytes = Uint8Array.from([0, 0, 0, 0, 0, 0x03, 0, 0, 0xff]);
    const { numbers } = inspect(bytes, 0x40000, 1);
    const last = numbers.at(-1);
    expect(last?.big).toEqual({
      unsigned: '196608',
      signed: undefined,
      hex: '0x30000',
      address: 0x30000,
    });
    expect(last?.little.address).toBeUndefined();
    const full = inspect(new Uint8Array(8).fill(0xff), 2 ** 53, 1).numbers;
    expect(full.map(({ little }) => little.signed)).toEqual(['-1', '-1', '-1', '-1']);
    expect(full.at(-1)?.little.unsigned).toBe('18446744073709551615');
    expect(inspect(bytes.subarray(0, 3), 100, 1).numbers.map(({ bits }) => bits)).toEqual([8, 16]);
  });

  it('reads times, names and texts', () => {
    const view = new DataView(new ArrayBuffer(16));
    view.setBigUint64(0, 116_444_736_000_000_000n + 10_000_000n, true);
    const reading = inspect(new Uint8Array(view.buffer), 1, 1);
    expect(reading.times.file).toBe(1000);
    const guid = Uint8Array.from({ length: 16 }, (_, at) => at);
    expect(inspect(guid, 1, 1).guid).toBe('03020100-0504-0706-0809-0a0b0c0d0e0f');
    expect(inspect(guid, 1, 1).uuid).toBe('00010203-0405-0607-0809-0a0b0c0d0e0f');
    const text = inspect(new TextEncoder().encode('Größe\0rest'), 1, 1);
    expect([text.ascii, text.utf8]).toEqual(['Gr', 'Größe']);
    expect(inspect(Uint8Array.from([0x41, 0, 0x42, 0, 0, 0]), 1, 1).utf16).toBe('AB');
    expect(inspect(Uint8Array.from([0x41, 0x42, 0x43]), 1, 2).ascii).toBe('AB');
    expect(inspect(Uint8Array.from([0xa5]), 1, 1).bits).toBe('1010 0101');
  });

  it('copies', () => {
    const bytes = Uint8Array.from([0x51, 0x46, 0]);
    expect(copyBytes(bytes, 'hex')).toBe('51 46 00');
    expect(copyBytes(bytes, 'text')).toBe('QF\0');
    expect(copyBytes(bytes, 'array')).toBe('unsigned char bytes[3] = {\n  0x51, 0x46, 0x00,\n};\n');
  });
});

describe('scrolling', () => {
  it.each([10, 1000, 2 ** 20, 2 ** 33, 2 ** 49])('goes there and back in %d rows', (rows) => {
    const track = { rows, rowHeight: 24, viewport: 480 };
    const last = lastTop(track);
    expect(trackHeight(track)).toBeLessThanOrEqual(8_000_000);
    for (const share of [0, 1e-9, 0.1, 0.5, 0.9, 1]) {
      const row = share * last;
      const there = scrollFor(track, row);
      expect(there).toBeLessThanOrEqual(trackHeight(track) - track.viewport + 0.01);
      expect(Math.abs(rowAt(track, there) - row)).toBeLessThanOrEqual(1e-6 + rows * 1e-9);
    }
    expect(rowAt(track, trackHeight(track) - track.viewport)).toBeCloseTo(last, 3);
    expect(scrollFor(track, -5)).toBe(0);
  });

  it('is true to the pixel near both ends', () => {
    const track = { rows: 2 ** 49, rowHeight: 24, viewport: 480 };
    expect(rowAt(track, 2400)).toBe(100);
    const end = trackHeight(track) - track.viewport;
    expect(lastTop(track) - rowAt(track, end - 2400)).toBeCloseTo(100, 0);
  });
});

describe('bytes as they come', () => {
  const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

  it('asks for what is on the screen, once, and a little ahead', async () => {
    const asked: number[] = [];
    const read = (_: string, offset: number, length: number): Promise<Bytes> => {
      asked.push(offset);
      const bytes = new Uint8Array(length).fill(offset / PAGE + 1);
      return Promise.resolve({ offset, bytes, unreadable: [] });
    };
    let arrived = 0;
    const source = new ByteSource(read, String, () => (arrived += 1));
    const size = 4 * PAGE + 10;
    source.want('file', 0, 640, size);
    expect(source.byte('file', 5)).toBe(NOT_THERE_YET);
    await settled();
    expect(asked).toEqual([0]);
    expect(source.byte('file', 5)).toBe(1);
    source.want('file', PAGE - 640, PAGE, size);
    await settled();
    source.want('file', size - 600, size, size);
    await settled();
    expect(asked.sort((a, b) => a - b)).toEqual([0, PAGE, 3 * PAGE, 4 * PAGE]);
    expect(source.byte('file', size - 1)).toBe(5);
    expect(source.byte('guest', 5)).toBe(NOT_THERE_YET);
    expect(arrived).toBe(4);
    source.clear();
    expect(source.byte('file', 5)).toBe(NOT_THERE_YET);
  });

  it('forgets what was scrolled past before it was asked for', async () => {
    const asked: number[] = [];
    const read = async (_: string, offset: number, length: number): Promise<Bytes> => {
      asked.push(offset / PAGE);
      await new Promise((resolve) => setTimeout(resolve, 2));
      return { offset, bytes: new Uint8Array(length), unreadable: [] };
    };
    const source = new ByteSource(read, String, () => undefined);
    for (let page = 1; page <= 50; page++) {
      source.want('file', page * PAGE + PAGE / 2, page * PAGE + PAGE / 2 + 100, 100 * PAGE);
    }
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(asked).toEqual([1, 2, 50]);
  });

  it('never takes for zeros what nobody can read', async () => {
    const unreadable = [{ offset: 4, length: 2, reason: 'no base' }];
    const answers = [
      (offset: number): Promise<Bytes> =>
        Promise.resolve({ offset, bytes: new Uint8Array(8), unreadable }),
      () => Promise.reject(new Error('gone')),
    ];
    const source = new ByteSource(
      (_, offset) => answers[offset / PAGE]?.(offset) ?? Promise.reject(new Error()),
      () => 'gone',
      () => undefined,
    );
    source.want('guest', 0, PAGE + 8, PAGE + 8);
    await settled();
    expect([3, 4, 5, 6].map((at) => source.byte('guest', at))).toEqual([
      0,
      UNREADABLE,
      UNREADABLE,
      0,
    ]);
    expect(source.reason('guest', 4)).toBe('no base');
    expect(source.known('guest', 0, 8)).toEqual(new Uint8Array(4));
    expect(source.byte('guest', PAGE)).toBe(UNREADABLE);
    expect(source.reason('guest', PAGE + 1)).toBe('gone');
  });
});

describe('rows', () => {
  it('marks fields, selection and cursor, and ends where the file ends', async () => {
    const source = new ByteSource(
      (_, offset, length) =>
        Promise.resolve({ offset, bytes: new Uint8Array(length).fill(0x41), unreadable: [] }),
      String,
      () => undefined,
    );
    source.want('file', 0, 20, 20);
    await new Promise((resolve) => setTimeout(resolve, 2));
    const node = (offset: number, length: number) =>
      ({ offset, length, doubtful: false }) as StructureNode;
    const fields = sortFields([node(4, 4), node(0, 4), node(0, 0)]);
    const marks = { selection: { offset: 2, length: 3 }, cursor: 2, lit: node(4, 4), fields };
    const row = hexRow(source, 'file', 0, 16, 20, 8, marks);
    expect(row.cells.map(({ isSelected }) => isSelected).indexOf(true)).toBe(2);
    expect(row.cells[0]?.look).toBe('byte even first');
    expect(row.cells[4]?.look).toBe('byte odd first lit selected');
    expect(row.cells[8]?.look).toBe('byte');
    expect(row.text).toEqual(['AA', 'AAA', 'A'.repeat(11)]);
    const end = hexRow(source, 'file', 16, 16, 20, 8, marks);
    expect([end.cells.length, end.address]).toEqual([4, '00000010']);
  });

  it('has as many columns as there is room for', () => {
    expect(layoutFor(800, 8, 7.8)).toEqual({ columns: 16, hasText: true });
    expect(layoutFor(480, 8, 7.8)).toEqual({ columns: 8, hasText: true });
    expect(layoutFor(320, 8, 7.8)).toEqual({ columns: 8, hasText: false });
    expect(layoutFor(260, 8, 7.8)).toEqual({ columns: 4, hasText: false });
  });
});
