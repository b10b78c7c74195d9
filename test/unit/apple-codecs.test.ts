import { describe, expect, it } from 'vitest';
import { unadcCluster } from '../../src/engine/codecs/adc.ts';
import { unlzfseCluster } from '../../src/engine/codecs/lzfse/index.ts';
import { packLzfse, type LzfseOptions } from '../images/lzfse.ts';
import { freshNoise } from '../images/noise.ts';
import { contentOf } from '../images/packed-samples.ts';
import { frameContent } from '../images/zstd.ts';

const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'latin1'));

describe('ADC', () => {
  // «abc», five bytes from three back, «d», four bytes from nine back.
  const packed = bytes('\x82abc\x08\x02\x80d\x40\0\x08');

  it('unpacks literals and both kinds of matches', () => {
    const target = new Uint8Array(13);
    expect(unadcCluster(packed, target)).toBe('ok');
    expect(Buffer.from(target).toString('latin1')).toBe('abcabcabdabca');
  });

  it('ends at any wrong end', () => {
    for (let at = 0; at < packed.length; at++) {
      expect(unadcCluster(packed.subarray(0, at), new Uint8Array(13))).toBe('short');
    }
    expect(unadcCluster(packed, new Uint8Array(14))).toBe('short');
    expect(unadcCluster(packed, new Uint8Array(12))).toBe('corrupt');
    expect(unadcCluster(bytes('\x80a\x00\x01'), new Uint8Array(9))).toBe('corrupt');
  });
});

describe('LZFSE', () => {
  const plain = 'bvx-\x05\0\0\0hello';
  // Five literals, nothing, and «abcde» again twice with a match of ten from five back.
  const lzvn = 'bvxn\x0f\0\0\0\x11\0\0\0\xe5abcde\x0e\x38\x05\x06\0\0\0\0\0\0\0';

  it('unpacks blocks of bytes as they are and of LZVN', () => {
    const target = new Uint8Array(20);
    expect(unlzfseCluster(bytes(`${plain}${lzvn}bvx$`), target)).toBe('ok');
    expect(Buffer.from(target).toString('latin1')).toBe('helloabcdeabcdeabcde');
  });

  it('ends at any wrong end', () => {
    const packed = bytes(`${plain}${lzvn}bvx$`);
    for (let at = 0; at < packed.length; at++) {
      expect(unlzfseCluster(packed.subarray(0, at), new Uint8Array(20))).not.toBe('ok');
    }
    expect(unlzfseCluster(packed, new Uint8Array(21))).toBe('short');
    expect(unlzfseCluster(packed, new Uint8Array(19))).toBe('corrupt');
  });
});

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

const run = (byte: number, length: number) => new Uint8Array(length).fill(byte);
const FAR = freshNoise(31, 3000);

/** What its blocks of matches are tried with: each kind of number in all of its ranges. */
const CONTENTS: [name: string, content: Uint8Array][] = [
  ['a byte', Uint8Array.of(65)],
  ['five bytes', bytes('hello')],
  ['words', frameContent(21, 65_536)],
  ['a few words', frameContent(22, 1024)],
  ['noise', freshNoise(23, 20_000)],
  ['noise of two bytes', freshNoise(24, 20_000, 2)],
  ['one run', run(65, 65_536)],
  ['runs', contentOf('runs')],
  ['sectors', contentOf('disk')],
  [
    'everything',
    joined(frameContent(25, 9000), run(0, 30_000), freshNoise(26, 900), run(7, 3), FAR, FAR),
  ],
  ['a match from far back', joined(FAR, run(0, 200_000), freshNoise(32, 5000), FAR)],
];

const KINDS: [name: string, options: LzfseOptions][] = [
  ['bvx1', { version: 1 }],
  ['bvx2', { version: 2 }],
  ['bvx2, short blocks', { version: 2, mostMatches: 50 }],
];

describe.each(KINDS)('LZFSE: matches in blocks of %s', (_, options) => {
  it.each(CONTENTS)('%s', (_name, content) => {
    const packed = packLzfse(content, options);
    const target = new Uint8Array(content.length);
    expect(unlzfseCluster(packed, target)).toBe('ok');
    expect(Buffer.from(target).equals(content)).toBe(true);
    expect(unlzfseCluster(packed, new Uint8Array(content.length + 1))).toBe('short');
    expect(unlzfseCluster(packed, new Uint8Array(content.length - 1))).toBe('corrupt');
  });

  it('cut short is never taken for whole', () => {
    const content = frameContent(27, 1500);
    const packed = packLzfse(content, options);
    for (let at = 0; at < packed.length; at++) {
      expect(unlzfseCluster(packed.subarray(0, at), new Uint8Array(1500)), `at ${at}`).toBe(
        'short',
      );
    }
  });

  it('with any bit turned is unpacked to something or refused', () => {
    const content = joined(frameContent(28, 500), freshNoise(29, 50));
    const packed = packLzfse(content, options);
    const found = { ok: 0, short: 0, corrupt: 0, same: 0 };
    for (let bit = 0; bit < packed.length * 8; bit++) {
      const changed = packed.slice();
      changed[bit >>> 3]! ^= 1 << (bit & 7);
      const target = new Uint8Array(content.length);
      const result = unlzfseCluster(changed, target);
      found[result]++;
      if (result === 'ok' && Buffer.from(target).equals(content)) found.same++;
    }
    expect(found.ok + found.short + found.corrupt).toBe(packed.length * 8);
    // Nothing in a block says what its literals should be, but most of the rest has to fit.
    expect(found.corrupt).toBeGreaterThan(found.ok);
    // Only what is never read may be turned: spare bytes, and sizes of payloads that are said twice.
    expect(found.same).toBeLessThan(200);
  });

  it('refers to bytes of blocks before, and not beyond them', () => {
    const content = joined(FAR, FAR);
    const packed = packLzfse(content, { ...options, mostMatches: 10 });
    expect(unlzfseCluster(packed, new Uint8Array(content.length))).toBe('ok');
    const text = Buffer.from(packed).toString('latin1');
    const last = text.lastIndexOf(`bvx${options.version}`);
    expect(last).toBeGreaterThan(0);
    // The same last block behind nothing.
    const alone = new Uint8Array(Buffer.from(packed).readUInt32LE(last + 4));
    expect(unlzfseCluster(packed.subarray(last), alone)).toBe('corrupt');
  });
});

describe('LZFSE: frequencies', () => {
  const content = frameContent(30, 2000);

  function withFrequency(index: number, change: number): string {
    const packed = packLzfse(content, { version: 1 });
    const view = new DataView(packed.buffer);
    const at = 50 + index * 2;
    view.setUint16(at, view.getUint16(at, true) + change, true);
    return unlzfseCluster(packed, new Uint8Array(content.length));
  }

  it('have to be no more than there are states, and no state is left without a symbol', () => {
    expect(withFrequency(0, 0)).toBe('ok');
    // Of literals in a row, of lengths, distances and literals.
    for (const index of [0, 20, 40, 104])
      expect(withFrequency(index, 1), `${index}`).toBe('corrupt');
    const literal = 104 + (content[0] ?? 0);
    expect(withFrequency(literal, -1)).toBe('corrupt');
  });
});
