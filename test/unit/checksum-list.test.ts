import { describe, expect, it } from 'vitest';
import { expectationOf, judgeChecksum, parseChecksumList } from '../../src/engine/index.ts';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);
const C = 'c'.repeat(128);
const MD5 = 'd'.repeat(32);

const entriesOf = (text: string): unknown[] =>
  parseChecksumList(text).entries.map(({ name, algorithm, digest }) => [name, algorithm, digest]);

describe('lists of checksums', () => {
  it('as GNU’s tools write them', () => {
    expect(entriesOf(`${A}  disk.img\n${B} *dir/disk two.img\n`)).toEqual([
      ['disk.img', 'sha256', A],
      ['dir/disk two.img', 'sha256', B],
    ]);
  });

  it('takes two characters between digest and name, and what follows for the name', () => {
    expect(entriesOf(`${A}  *starred\n${B}\tafter a tab\n${A} after one space`)).toEqual([
      ['*starred', 'sha256', A],
      ['after a tab', 'sha256', B],
      ['after one space', 'sha256', A],
    ]);
  });

  it('with names that had to be escaped', () => {
    expect(entriesOf(`\\${A}  line\\nbreak\\\\back\n${B}  as\\it is`)).toEqual([
      ['line\nbreak\\back', 'sha256', A],
      ['as\\it is', 'sha256', B],
    ]);
  });

  it('as BSD’s tools and OpenSSL write them', () => {
    const text = [
      `SHA256 (disk (1).img) = ${A}`,
      `SHA512 (disk.img) = ${C}`,
      `MD5 (disk.img) = ${MD5}`,
      `SHA2-256(disk.img)= ${B}`,
      `\\SHA256 (a\\\\b) = ${A}`,
      `BLAKE2b (disk.img) = ${C}`,
    ].join('\n');
    expect(entriesOf(text)).toEqual([
      ['disk (1).img', 'sha256', A],
      ['disk.img', 'sha512', C],
      ['disk.img', 'MD5', MD5],
      ['disk.img', 'sha256', B],
      ['a\\b', 'sha256', A],
      ['disk.img', 'BLAKE2b', C],
    ]);
  });

  it('within a signature, with comments, with any line ends', () => {
    const text = [
      '-----BEGIN PGP SIGNED MESSAGE-----',
      'Hash: SHA256',
      '',
      '# Fedora-Cloud-41.qcow2: 491716608 bytes',
      `SHA256 (Fedora-Cloud-41.qcow2) = ${A.toUpperCase()}`,
      `- ${B}  -dashed`,
      '-----BEGIN PGP SIGNATURE-----',
      '',
      `${B}  not-signed`,
      '-----END PGP SIGNATURE-----',
    ].join('\r\n');
    const list = parseChecksumList(text);
    expect(entriesOf(text)).toEqual([
      ['Fedora-Cloud-41.qcow2', 'sha256', A],
      ['-dashed', 'sha256', B],
    ]);
    expect(expectationOf(list, 'Fedora-Cloud-41.qcow2')).toMatchObject({ size: 491716608 });
  });

  it.each([
    A,
    `  ${A.toUpperCase()}\n`,
    `sha256:${A}`,
    `SHA256: ${A}`,
    `SHA-256 = ${A}`,
    `checksum: ${A}`,
    `The digest of the file is ${A}, says the page.`,
  ])('a digest that stands alone: %s', (text) => {
    expect(entriesOf(text)).toEqual([[undefined, 'sha256', A]]);
  });

  it.each(['', 'nothing of the kind', 'a'.repeat(63), 'SHA256 (x) = abc'])(
    'no digest at all: %s',
    (text) => {
      const list = parseChecksumList(text);
      expect(expectationOf(list, 'x')).toEqual({ kind: 'none' });
      expect(judgeChecksum(list, 'x', { algorithm: 'sha256', digest: A })).toBeUndefined();
    },
  );
});

describe('what a list says of a file', () => {
  const list = parseChecksumList(
    `${A}  ./disk.img\n${B}  other.img\n${C}  large.img\n${MD5}  old.img\n`,
  );

  it('by its name alone, whatever the folders', () => {
    expect(expectationOf(list, '/home/disk.img')).toEqual({
      kind: 'listed',
      name: './disk.img',
      algorithm: 'sha256',
      digests: [A],
      size: undefined,
    });
    expect(expectationOf(list, 'large.img')).toMatchObject({ algorithm: 'sha512', digests: [C] });
  });

  it('names are not guessed', () => {
    const names = ['./disk.img', 'other.img'];
    expect(expectationOf(list, 'Disk.img')).toEqual({
      kind: 'not-listed',
      algorithm: 'sha256',
      names,
    });
  });

  it('algorithms that cannot be computed are named', () => {
    expect(expectationOf(list, 'old.img')).toEqual({ kind: 'unsupported', algorithms: ['MD5'] });
    const sha1 = parseChecksumList('e'.repeat(40));
    expect(expectationOf(sha1, 'x')).toEqual({ kind: 'unsupported', algorithms: ['SHA-1'] });
  });

  it('several algorithms: the first that can be computed', () => {
    const text = `${MD5}  x\n${C}  x\n${A}  x\n`;
    expect(expectationOf(parseChecksumList(text), 'x')).toMatchObject({ algorithm: 'sha256' });
  });

  it('a list that contradicts itself is met by either digest', () => {
    const twice = parseChecksumList(`${A}  x\n${B}  x\n${A}  x\n`);
    expect(expectationOf(twice, 'x')).toMatchObject({ digests: [A, B] });
    const judge = (digest: string) => judgeChecksum(twice, 'x', { algorithm: 'sha256', digest });
    expect(judge(B)).toEqual({ kind: 'match', name: 'x' });
    expect(judge('f'.repeat(64))).toMatchObject({ kind: 'mismatch', expected: [A, B] });
  });
});

describe('the verdict', () => {
  const list = parseChecksumList(`${A}  disk.img\n${B}  other.img\n`);
  const judge = (file: string, digest: string) =>
    judgeChecksum(list, file, { algorithm: 'sha256', digest });

  it('matches or does not', () => {
    expect(judge('disk.img', A)).toEqual({ kind: 'match', name: 'disk.img' });
    expect(judge('disk.img', 'f'.repeat(64))).toEqual({
      kind: 'mismatch',
      expected: [A],
      other: undefined,
    });
  });

  it('says whose digest it is instead', () => {
    expect(judge('disk.img', B)).toEqual({ kind: 'mismatch', expected: [A], other: 'other.img' });
    expect(judge('disk (1).img', A)).toEqual({ kind: 'other-name', name: 'disk.img' });
    const names = ['disk.img', 'other.img'];
    expect(judge('disk (1).img', 'f'.repeat(64))).toEqual({ kind: 'not-listed', names });
  });

  it('is given in the algorithm of the list only', () => {
    expect(judgeChecksum(list, 'disk.img', { algorithm: 'sha512', digest: C })).toBeUndefined();
  });
});
