/** Comparing VMDKs that are the same but for the ids of their contents, which are made at random. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';

const DESCRIPTOR = { from: 512, bytes: 10240 };

interface Masked {
  /** The descriptor without the ids. */
  text: string;
  /** Of everything else. */
  hash: string;
  /** Bytes, of files that are not all text. */
  size: number;
}

/** A file without its ids; ids differ in length, too. */
export function masked(path: string): Masked {
  const bytes = readFileSync(path);
  const isSparse = bytes.subarray(0, 4).toString('latin1') === 'KDMV';
  const isText = bytes.subarray(0, 21).toString('latin1') === '# Disk DescriptorFile';
  const from = isSparse ? DESCRIPTOR.from : 0;
  const block = bytes.subarray(from, isSparse || isText ? from + DESCRIPTOR.bytes : 0);
  const [text = ''] = block.toString('latin1').split('\0');
  block.fill(0);
  const hash = createHash('sha256');
  if (!isText) hash.update(bytes);
  return {
    text: text.replace(/CID=[0-9a-f]+/g, (id) => (id === 'CID=ffffffff' ? id : 'CID=*')),
    hash: hash.digest('hex'),
    size: isText ? Math.ceil(bytes.length / 512) : bytes.length,
  };
}

/** Both programs have made these files in their folders, the same in every byte. */
export function expectSameFiles(names: readonly string[]): void {
  for (const name of names) {
    expect(masked(join('own', name)), name).toEqual(masked(join('real', name)));
  }
}

/** The id of the content, and of that below, as the descriptor has them. */
export function idsOf(path: string): { cid: string; parent: string } {
  const text = readFileSync(path).subarray(0, 12288).toString('latin1');
  const cid = /\nCID=([0-9a-f]+)/.exec(text)?.[1] ?? '';
  return { cid, parent: /parentCID=([0-9a-f]+)/.exec(text)?.[1] ?? '' };
}
