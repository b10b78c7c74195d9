/** The words around findings, in a report and in the terminal. English; the app has the others. */
import type {
  Area,
  DiagnosisVerdict,
  Grade,
  GrowingPart,
  ReportRefusal,
} from '../../engine/index.ts';
import type { Format } from './texts.ts';

/** Why a report of before is not used. */
export type RefusalWords = Readonly<Record<ReportRefusal, string>>;

export interface ReportWords {
  title: (name: string) => string;
  /** Before the date of the diagnosis. */
  made: (moment: string) => string;
  verdict: Readonly<Record<DiagnosisVerdict, string>>;
  /** One word, before the title of a finding. */
  grade: Readonly<Record<Grade, string>>;
  area: Readonly<Record<Area, string>>;
  findings: string;
  noFindings: string;
  /** Before the advice. */
  todo: string;
  /** Before places, and one of them. */
  where: string;
  inFile: (from: string, to: string) => string;
  inDisk: (from: string, to: string) => string;
  more: (count: string) => string;
  /** Headings of tables, with the names of columns and rows. */
  space: string;
  part: Readonly<Record<GrowingPart, string>>;
  columns: {
    part: string;
    size: string;
    share: string;
    id: string;
    name: string;
    taken: string;
    own: string;
    all: string;
    format: string;
    disk: string;
    file: string;
    serves: string;
    saved: string;
    before: string;
    now: string;
    perDay: string;
  };
  snapshots: string;
  chain: string;
  missing: string;
  gains: string;
  /** Ways to a smaller file. */
  gain: {
    compact: string;
    withoutSnapshots: string;
    compressed: string;
    zeroFilled: string;
    equalToBacking: string;
  };
  /** Before what kept the content from being read. */
  unreadable: (reason: string) => string;
  hashes: string;
  hash: { metadata: string; file: string };
  refusal: RefusalWords;
}

/** The places of a row of sums: how each part is called. */
export const REPORT_WORDS: ReportWords = {
  title: (name) => `Diagnosis of ${name}`,
  made: (moment) => `Made on ${moment}.`,
  verdict: {
    healthy: 'Nothing is wrong with it.',
    attention: 'Nothing is wrong with it. Some things could be better.',
    problem: 'Something is wrong with it. No data are in danger.',
    danger: 'Data are lost, or will be if it is used as it is.',
  },
  grade: { danger: 'Danger', problem: 'Problem', advice: 'Advice', note: 'Note' },
  area: {
    ...{ health: 'Health', chain: 'Chain', safety: 'Safety', space: 'Space' },
    ...{ performance: 'Performance', portability: 'Portability' },
  },
  findings: 'What was found',
  noFindings: 'Nothing was found that has to be said.',
  todo: 'What to do:',
  where: 'Where:',
  inFile: (from, to) => `file ${from} to ${to}`,
  inDisk: (from, to) => `disk ${from} to ${to}`,
  more: (count) => `and ${count} more`,
  space: 'Where the bytes are',
  part: {
    fileSize: 'The whole file',
    active: 'Content of the disk',
    compressed: 'Content of the disk, packed',
    shared: 'Shared by the disk and snapshots',
    snapshotOnly: 'Only in snapshots',
    vmState: 'State of machines in snapshots',
    zeroHeld: 'Reads as zeros, and takes room',
    metadata: 'Header and tables',
    leaked: 'Leaked: nothing uses it',
    free: 'Free between what is used',
    tail: 'Behind the last that is used',
    damaged: 'Claimed by two',
    unknown: 'Not known',
  },
  columns: {
    ...{ part: 'Part', size: 'Size', share: 'Share', id: 'ID', name: 'Name', taken: 'Taken' },
    ...{ own: 'Deleting it frees', all: 'It refers to', format: 'Format', disk: 'Disk' },
    ...{ file: 'File', serves: 'Decides', saved: 'Saves', before: 'Before', now: 'Now' },
    perDay: 'A day',
  },
  snapshots: 'Snapshots',
  chain: 'The chain of images',
  missing: 'missing',
  gains: 'What would make it smaller',
  gain: {
    compact: 'Written anew in order (compact)',
    withoutSnapshots: 'The same without snapshots',
    compressed: 'Content packed (about)',
    zeroFilled: 'Zeros not stored',
    equalToBacking: 'What the image below has, too',
  },
  unreadable: (reason) => `What is in the disk could not be read: ${reason}`,
  hashes: 'Digests (SHA-256)',
  hash: { metadata: 'Header and tables', file: 'The whole file' },
  refusal: {
    'too-large': 'it is larger than any report',
    'not-json': 'it is not JSON',
    foreign: 'it is no report of a diagnosis',
    version: 'it was made by another version, whose reports are built differently',
    damaged: 'something in it is missing or wrong',
  },
};

/** How numbers are written in a terminal and in an English report. */
export function plainFormat(size: (bytes: number) => string): Format {
  return {
    size,
    count: (number) => String(number).replace(/\B(?=(\d{3})+$)/g, ' '),
    percent: (share) => {
      const percent = share * 100;
      if (percent > 0 && percent < 0.1) return '< 0.1 %';
      return `${percent < 10 ? Math.round(percent * 10) / 10 : Math.round(percent)} %`;
    },
    moment: (time) => `${new Date(time).toISOString().slice(0, 16).replace('T', ' ')} UTC`,
  };
}
