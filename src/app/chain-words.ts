/** A file of a chain in words. */
import type { ChainDoubt, ChainFile, FileReference } from '../worker/api.ts';
import { cipherName } from './facts.ts';
import { explain } from './problem.ts';
import { bytes, moment } from './units.ts';
import { words } from './words.svelte.ts';

/** A sentence about a file. The tone picks the icon; `mark` says it to those who do not see it. */
export interface Remark {
  /** For tests and styles: what it is about. */
  kind: string;
  tone: 'note' | 'warn' | 'bad';
  mark: string;
  text: string;
}

/** What is shown of a file. */
export interface LinkWords {
  /** Short: formats, sizes, the name of what was given. */
  facts: string[];
  remarks: Remark[];
}

export function describeLink(link: ChainFile): LinkWords {
  return { facts: factsOf(link), remarks: remarksOf(link) };
}

/** Whether something speaks against a file that is used all the same. */
export function isSuspicious(link: ChainFile): boolean {
  return link.state === 'open' && remarksOf(link).some(({ tone }) => tone === 'warn');
}

function factsOf(link: ChainFile): string[] {
  const text = words.image.chain;
  const { tag } = words;
  const { kind, recordedFormat, format, virtualSize, file, reference } = link;
  const facts: string[] = [];
  if (file !== undefined && file.name !== reference.fileName) facts.push(text.given(file.name));
  if (format !== undefined) facts.push(format);
  if (virtualSize !== undefined) facts.push(text.disk(bytes(virtualSize, tag)));
  if (file !== undefined) facts.push(text.file(bytes(file.size, tag)));
  if (kind === 'backing' && recordedFormat === '') {
    facts.push(
      file === undefined ? `${text.recordedNot} (${text.recordedNotNote})` : text.recordedNot,
    );
  } else if (kind === 'backing' && recordedFormat !== format) {
    facts.push(text.recorded(recordedFormat));
  }
  if (link.luks !== undefined) facts.push(cipherName(link.luks));
  return facts;
}

function remarksOf(link: ChainFile): Remark[] {
  const text = words.image.chain;
  const remarks: Remark[] = [];
  const add = (kind: string, tone: Remark['tone'], sentence: string): void => {
    const mark = tone === 'note' ? text.marks.note : text.marks.warning;
    remarks.push({ kind, tone, mark: `${mark}:`, text: sentence });
  };
  if (link.state === 'locked') add('locked', 'warn', text.lockedNote);
  if (isUnproven(link))
    add('legacy', link.looksRight === false ? 'warn' : 'note', legacyWords(link));
  if (link.state !== 'open') {
    const elsewhere = referenceWords(link.reference);
    if (elsewhere !== '') add('reference', 'note', elsewhere);
    else if (link.kind !== 'image' && link.name === '') add('reference', 'note', text.nameless);
  }
  if (link.problem !== undefined) add('problem', 'bad', problemWords(link));
  for (const doubt of link.doubts) {
    add(doubt.kind, doubt.kind === 'base-smaller' ? 'note' : 'warn', doubtWords(link, doubt));
  }
  return remarks;
}

/** Whether it was unlocked with a passphrase that nothing has proven to be the right one. */
export function isUnproven({ encryption, state }: ChainFile): boolean {
  return encryption === 'aes' && state === 'open';
}

/** What speaks for the passphrase of such a file. */
export function legacyWords({ looksRight }: ChainFile): string {
  const text = words.image.chain;
  const space = words.tag.startsWith('zh') ? '' : ' ';
  if (looksRight === undefined) return `${text.legacy}${space}${text.legacyEmpty}`;
  return `${text.legacy}${space}${looksRight ? text.legacyRight : text.legacyNoise}`;
}

/** What is said of a name that is none of a file; '' for that of a file. */
function referenceWords({ kind, drivers, target }: FileReference): string {
  const text = words.image.chain;
  const names = drivers.join(words.tag === 'en' ? ', ' : '、');
  switch (kind) {
    case 'path':
      return '';
    case 'protocol':
      return text.protocol(names);
    case 'json':
      return text.json(names === '' ? text.jsonUnreadable : names, target);
  }
}

function problemWords({ problem, recordedFormat }: ChainFile): string {
  if (problem === undefined) return '';
  const { what, why } = explain(problem, words.image.errors);
  const isOther = problem.code === 'not-a-disk-image' && recordedFormat !== '';
  const space = words.tag.startsWith('zh') ? '' : ' ';
  return `${isOther ? words.image.chain.wrongFormat(recordedFormat) : what}${space}${why}`;
}

function doubtWords(link: ChainFile, doubt: ChainDoubt): string {
  const text = words.image.chain.doubts;
  const { tag } = words;
  switch (doubt.kind) {
    case 'other-name':
      return text.otherName(link.file?.name ?? '', doubt.expected);
    case 'format':
      return link.kind === 'data-file'
        ? text.dataFileFormat(doubt.found)
        : text.format(doubt.recorded, doubt.found);
    case 'foreign': {
      const { looksLike } = doubt;
      const details = { format: '', name: '', size: 0, looksLike };
      return text.foreign(words.image.errors['not-a-disk-image'](details).why);
    }
    case 'base-smaller':
      return text.baseSmaller(bytes(doubt.base, tag), bytes(doubt.overlay, tag));
    case 'base-larger':
      return text.baseLarger(bytes(doubt.base, tag), bytes(doubt.overlay, tag));
    case 'changed-later':
      return text.changedLater(moment(doubt.base, tag), moment(doubt.overlay, tag));
    case 'same-file':
      return text.sameFile(doubt.other);
    case 'data-file-short':
      return text.dataFileShort(bytes(doubt.size, tag), bytes(doubt.disk, tag));
  }
}
