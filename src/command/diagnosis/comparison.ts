/** What is said of two diagnoses of an image held against each other. English; the app has others. */
import type {
  ChainChange,
  DiagnosisComparison,
  FullForecast,
  Grade,
  IdentityDifference,
  Sameness,
} from '../../engine/index.ts';
import type { Format } from './texts.ts';

export interface ComparisonWords {
  heading: (before: string) => string;
  /** How long ago that was; days may be a fraction. */
  since: (days: number, format: Format) => string;
  /** The report is of later than the diagnosis. */
  backwards: string;
  /** '' where there is nothing to say. */
  sameness: (sameness: Sameness, differences: string) => string;
  difference: Readonly<Record<IdentityDifference, string>>;
  untouched: string;
  appeared: (title: string) => string;
  gone: (title: string) => string;
  graver: (title: string, before: string, now: string) => string;
  better: (title: string, before: string, now: string) => string;
  unchanged: (count: number, format: Format) => string;
  growth: string;
  grade: Readonly<Record<Grade, string>>;
  resized: (before: string, now: string) => string;
  snapshotsAdded: (names: string) => string;
  snapshotsRemoved: (names: string) => string;
  chain: (change: ChainChange, format: Format) => string;
  full: (forecast: FullForecast, format: Format) => string;
  /** Of sizes that a part grows by. */
  perDay: (bytes: number, format: Format) => string;
  /** Between the names of a list. */
  comma: string;
  more: (count: string) => string;
}

/** Sentences, in their order. */
export interface ComparisonText {
  heading: string;
  sentences: string[];
  /** What is new, gone, graver, better. */
  findings: string[];
  /** When it will be full. */
  forecasts: string[];
}

/** So many names of a list are said. */
const NAMES = 10;
/** So many changes of the chain are said. */
const LAYERS = 20;

/**
 * Says what a comparison found.
 * @param titleOf the title of a finding of now or of then
 */
export function sayComparison(
  comparison: DiagnosisComparison,
  words: ComparisonWords,
  format: Format,
  titleOf: (finding: { code: string; values: object; title?: string | undefined }) => string,
): ComparisonText {
  const { appeared, gone, graver, better, unchanged, chain, resized } = comparison;
  const differences = comparison.differences.map((one) => words.difference[one]);
  const sentences = [
    comparison.days < 0 ? words.backwards : words.since(comparison.days, format),
    words.sameness(comparison.sameness, differences.join(words.comma)),
    comparison.untouched === true ? words.untouched : '',
    resized === undefined
      ? ''
      : words.resized(format.size(resized.before), format.size(resized.now)),
    listed(comparison.snapshotsAdded, words, format, words.snapshotsAdded),
    listed(comparison.snapshotsRemoved, words, format, words.snapshotsRemoved),
    ...chain.slice(0, LAYERS).map((change) => words.chain(change, format)),
  ];
  const findings = [
    ...appeared.map((finding) => words.appeared(titleOf(finding))),
    ...graver.map(({ before, finding }) =>
      words.graver(titleOf(finding), words.grade[before], words.grade[finding.grade]),
    ),
    ...better.map(({ before, finding }) =>
      words.better(titleOf(finding), words.grade[before], words.grade[finding.grade]),
    ),
    ...gone.map((finding) => words.gone(titleOf(finding))),
    ...(unchanged === 0 ? [] : [words.unchanged(unchanged, format)]),
  ];
  return {
    heading: words.heading(format.moment(comparison.before)),
    sentences: sentences.filter((sentence) => sentence !== ''),
    findings,
    forecasts: comparison.full.map((one) => words.full(one, format)),
  };
}

function listed(
  entries: readonly { name: string }[],
  { comma, more }: ComparisonWords,
  format: Format,
  say: (names: string) => string,
): string {
  if (entries.length === 0) return '';
  const names = entries.slice(0, NAMES).map(({ name }) => name);
  if (entries.length > NAMES) names.push(more(format.count(entries.length - NAMES)));
  return say(names.join(comma));
}

const GRADE: Readonly<Record<Grade, string>> = {
  ...{ danger: 'danger', problem: 'problem', advice: 'advice', note: 'note' },
};

export const COMPARISON_WORDS: ComparisonWords = {
  heading: (before) => `Compared with the report of ${before}`,
  since: (days, format) => `That was ${span(days, format)} earlier.`,
  backwards: 'The report is of later than this diagnosis: one of the clocks was wrong.',
  sameness: (sameness, differences) => {
    switch (sameness) {
      case 'same':
      case 'likely':
        return '';
      case 'unclear':
        return `Whether it is the same image is not certain. What differs: ${differences}.`;
      case 'other':
        return `The report is of another image, so this says little. What differs: ${differences}.`;
    }
  },
  difference: {
    format: 'the format',
    'virtual-size': 'the size of the disk',
    'cluster-size': 'the cluster size',
    uuid: 'the identifier in the header',
    guest: 'the file systems',
  },
  untouched: 'The tables of the disk are the same: nothing got a place in the file since.',
  appeared: (title) => `New: ${title}`,
  gone: (title) => `Gone: ${title}`,
  graver: (title, before, now) => `Graver (${before}, now ${now}): ${title}`,
  better: (title, before, now) => `Better (${before}, now ${now}): ${title}`,
  unchanged: (count, { count: number }) =>
    count === 1 ? 'One finding is as it was.' : `${number(count)} findings are as they were.`,
  growth: 'How it grew',
  grade: GRADE,
  resized: (before, now) => `The disk was resized from ${before} to ${now}.`,
  snapshotsAdded: (names) => `New snapshots: ${names}.`,
  snapshotsRemoved: (names) => `Snapshots that are gone: ${names}.`,
  chain: ({ kind, name, before, now }, { size, moment }) => {
    switch (kind) {
      case 'added':
        return `${name} is below it, and was not.`;
      case 'removed':
        return `${name} was below it, and is not any more.`;
      case 'missing':
        return `${name} is below it, and is missing now.`;
      case 'found':
        return `${name}, which is below it and was missing, is there again.`;
      case 'format':
        return `${name}, which is below it, is of another format than before.`;
      case 'virtual-size':
        return `The disk of ${name}, which is below it, was ${size(before)} and is ${size(now)}.`;
      case 'file-size':
        return `${name}, which is below it, was written to: its file was ${size(before)} and is ${size(now)}.`;
      case 'written':
        return `${name}, which is below it, may have been written to: its time was ${moment(before)} and is ${moment(now)}.`;
    }
  },
  full: (forecast, format) => {
    const { what, name, partition, now, limit, perDay, days, at } = forecast;
    const rest = `${span(days, format)} (${format.moment(at)})`;
    const rate = format.size(perDay);
    if (what === 'file') {
      return `At ${rate} a day the file, ${format.size(now)} now, reaches its largest size of ${format.size(limit)} in ${rest}.`;
    }
    const place = partition === 0 ? '' : ` in partition ${format.count(partition)}`;
    return `At ${rate} a day the file system ${name}${place}, ${format.size(now)} of ${format.size(limit)} used, is full in ${rest}.`;
  },
  perDay: (bytes, { size }) => `${bytes < 0 ? '-' : '+'}${size(Math.abs(bytes))}`,
  comma: ', ',
  more: (count) => `${count} more`,
};

/** A time in the unit in which people think of it. */
function span(days: number, { count }: Format): string {
  const unit = (number: number, name: string) =>
    `${count(number)} ${name}${number === 1 ? '' : 's'}`;
  if (days < 1 / 24) return unit(Math.max(1, Math.round(days * 24 * 60)), 'minute');
  if (days < 2) return unit(Math.max(1, Math.round(days * 24)), 'hour');
  if (days < 60) return unit(Math.round(days), 'day');
  if (days < 700) return unit(Math.round(days / 30.44), 'month');
  return unit(Math.round(days / 365.25), 'year');
}
