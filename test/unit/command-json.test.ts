import { describe, expect, it } from 'vitest';
import { formatJson, formatText } from '../../src/command/json.ts';

const QCOW2 = {
  'extended-l2': false,
  compat: '1.1',
  bitmaps: [
    { name: 'b1', granularity: 65536, flags: ['auto'] },
    { name: 'b2', granularity: 512, flags: [] },
  ],
  'refcount-bits': 16,
};

describe('JSON', () => {
  it('has one value a line and the keys in qemu-img’s order', () => {
    const info = { format: 'qcow2', filename: 'a', 'virtual-size': 1, encrypted: undefined };
    expect(formatJson({ 'format-specific': { data: QCOW2, type: 'qcow2' }, ...info })).toBe(`{
    "virtual-size": 1,
    "filename": "a",
    "format": "qcow2",
    "format-specific": {
        "type": "qcow2",
        "data": {
            "compat": "1.1",
            "bitmaps": [
                {
                    "flags": [
                        "auto"
                    ],
                    "name": "b1",
                    "granularity": 65536
                },
                {
                    "flags": [
                    ],
                    "name": "b2",
                    "granularity": 512
                }
            ],
            "refcount-bits": 16,
            "extended-l2": false
        }
    }
}`);
  });

  it('prints numbers beyond 2^53 exactly', () => {
    expect(formatJson([2n ** 63n - 1n])).toBe('[\n    9223372036854775807\n]');
  });

  it.each([
    ['plain ~ !', '"plain ~ !"'],
    ['"\\/', '"\\"\\\\/"'],
    ['\b\f\n\r\t', '"\\b\\f\\n\\r\\t"'],
    ['\u0001\u007f', '"\\u0001\\u007F"'],
    ['né 😀', '"n\\u00E9 \\uD83D\\uDE00"'],
    ['half \ud83d', '"half \\uFFFD"'],
  ])('writes %j in ASCII', (text, expected) => {
    expect(formatJson(text)).toBe(expected);
  });
});

describe('the human layout', () => {
  it('indents, numbers lists and takes the dashes out of keys', () => {
    expect(formatText(QCOW2, '    ')).toBe(`    compat: 1.1
    bitmaps:
        [0]:
            flags:
                [0]: auto
            name: b1
            granularity: 65536
        [1]:
            flags:
            name: b2
            granularity: 512
    refcount bits: 16
    extended l2: false
`);
  });
});
