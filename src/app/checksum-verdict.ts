import { ALGORITHMS, type ChecksumState } from './checksum-state.svelte.ts';
import type { ChecksumText } from './text/en-checksum.ts';
import { bytes, whole } from './units.ts';

/** How the file stands to what its publisher says, in words. */
export interface VerdictWords {
  tone: 'good' | 'bad' | 'unknown';
  title: string;
  body: string[];
  /** What to do now, or how far the verdict goes. */
  note: string;
  /** Digests to be seen beside each other. */
  digests: { label: string; digest: string }[];
}

/** So many names of a list are shown where the right one is not in it. */
const NAMES = 8;

/** The file whose digests are judged. Bytes. */
interface JudgedFile {
  name: string;
  size: number;
}

/** Undefined while nothing can be said: nobody told a checksum, or it is not computed yet. */
export function verdictWords(
  state: ChecksumState,
  file: JudgedFile,
  text: ChecksumText['verdict'],
  tag: string,
): VerdictWords | undefined {
  const { verdict } = state;
  switch (verdict?.kind) {
    case undefined:
      return wrongSize(state, file, text, tag);
    case 'match': {
      const { name } = verdict;
      const body = name === undefined ? text.matchAlone : text.matchListed(name);
      return { tone: 'good', title: text.match, body: [body], note: text.genuine, digests: [] };
    }
    case 'other-name': {
      const title = text.otherName(verdict.name);
      const body = [text.otherNameBody(file.name)];
      return { tone: 'good', title, body, note: text.genuine, digests: [] };
    }
    case 'mismatch':
      return mismatch(state, verdict, file, text, tag);
    case 'not-listed': {
      const names = verdict.names.slice(0, NAMES);
      const rest = verdict.names.length - names.length;
      if (rest > 0) names.push(text.more(whole(rest, tag)));
      const body = [
        text.notListedBody,
        ...(names.length > 0 ? [`${text.has}: ${names.join(', ')}`] : []),
      ];
      return { tone: 'unknown', title: text.notListed, body, note: '', digests: [] };
    }
  }
}

/** A size that the list tells is enough to know that the file is another one. */
function wrongSize(
  state: ChecksumState,
  file: JudgedFile,
  text: ChecksumText['verdict'],
  tag: string,
): VerdictWords | undefined {
  const sentence = sizeSentence(state, file, text, tag);
  if (sentence === undefined) return undefined;
  const { mismatch: title, mismatchNow: note } = text;
  return { tone: 'bad', title, body: [sentence], note, digests: [] };
}

function sizeSentence(
  { expectation }: ChecksumState,
  { size }: JudgedFile,
  text: ChecksumText['verdict'],
  tag: string,
): string | undefined {
  const expected = expectation?.kind === 'listed' ? expectation.size : undefined;
  if (expected === undefined || expected === size) return undefined;
  return size < expected
    ? text.tooShort(bytes(expected - size, tag))
    : text.tooLong(bytes(size - expected, tag));
}

function mismatch(
  state: ChecksumState,
  { expected, other }: { expected: string[]; other: string | undefined },
  file: JudgedFile,
  text: ChecksumText['verdict'],
  tag: string,
): VerdictWords {
  const content = state.content.results[state.algorithm]?.digest ?? '';
  const body = [text.mismatchBody];
  const size = sizeSentence(state, file, text, tag);
  if (size !== undefined) body.push(size);
  if (other !== undefined) body.push(text.mismatchOther(other));
  if (expected.includes(content)) body.push(text.mismatchContent);
  const algorithm = ALGORITHMS[state.algorithm];
  const digests = expected.map((digest) => ({ label: `${text.expected}, ${algorithm}`, digest }));
  const own = state.file.results[state.algorithm]?.digest ?? '';
  digests.push({ label: `${text.actual}, ${algorithm}`, digest: own });
  return { tone: 'bad', title: text.mismatch, body, note: text.mismatchNow, digests };
}
