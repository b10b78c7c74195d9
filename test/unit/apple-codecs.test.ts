import { describe, expect, it } from 'vitest';
import { unadcCluster } from '../../src/engine/codecs/adc.ts';
import { unlzfseCluster } from '../../src/engine/codecs/lzfse/index.ts';

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
