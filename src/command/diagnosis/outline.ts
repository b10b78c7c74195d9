/**
 * A report as headings, sentences and tables, before it is laid out: as Markdown, or for a terminal.
 * Pure; the words and the way of writing numbers are given.
 */
import type {
  CodeValues,
  DiagnosisCode,
  DiagnosisComparison,
  DiagnosisFinding,
  DiagnosisReport,
  MetadataSpace,
} from '../../engine/index.ts';
import { sayComparison, type ComparisonWords } from './comparison.ts';
import { commandsFor } from './remedy.ts';
import type { ReportWords } from './report-words.ts';
import type { FindingText, Format, Texts } from './texts.ts';

/** A language: its words and its numbers. */
export interface Language {
  texts: Texts<CodeValues>;
  words: ReportWords;
  comparison: ComparisonWords;
  format: Format;
}

/** What a report is made of. */
export interface ReportSource {
  report: DiagnosisReport;
  /** As it stands in commands. */
  fileName: string;
  comparison?: DiagnosisComparison | undefined;
  /** What kept the content of the disk from being read; '' where nothing did. */
  unreadable?: string | undefined;
}

/** A finding in words. */
export interface SaidFinding {
  title: string;
  why: string;
  advice: string;
  /** Lines for a shell. */
  commands: string[];
}

export type Block =
  | { kind: 'heading'; level: 1 | 2; text: string }
  | { kind: 'text'; text: string }
  | { kind: 'list'; items: string[] }
  | { kind: 'finding'; grade: string; area: string; said: SaidFinding; places: string[] }
  | { kind: 'table'; columns: Column[]; rows: string[][] };

export interface Column {
  title: string;
  /** Numbers are aligned at their right. */
  isNumber: boolean;
}

/** So many places of a finding are said. */
const PLACES = 5;
/** So many snapshots, and images of a chain. */
const ROWS = 100;

/** What is said of a finding, and the commands that mend it. */
export function sayFinding<C extends DiagnosisCode>(
  { code, values, remedies }: DiagnosisFinding<C>,
  { texts, format }: Pick<Language, 'texts' | 'format'>,
  fileName: string,
  backing: string | undefined,
): SaidFinding {
  const text: FindingText<CodeValues[C]> = texts[code];
  const commands = remedies.flatMap((remedy) => commandsFor(remedy, fileName, { backing }));
  return {
    title: text.title(values, format),
    why: text.why(values, format),
    advice: text.advice(values, format),
    commands: [...new Set(commands)],
  };
}

/**
 * The title of a finding that may come out of a file, where its values need not be what its code
 * should have: then the title of the file, or else the code.
 */
export function titleOf(
  finding: { code: string; values: object; title?: string | undefined },
  { texts, format }: Pick<Language, 'texts' | 'format'>,
): string {
  const { code, values, title = '' } = finding;
  const spare = title === '' ? code : title;
  if (!Object.hasOwn(texts, code)) return spare;
  const text = texts[code as DiagnosisCode] as FindingText<unknown>;
  try {
    const said: unknown = text.title(values, format);
    const makesSense = typeof said === 'string' && !/undefined|NaN|\[object/.test(said);
    return makesSense ? said : spare;
  } catch {
    return spare;
  }
}

/** The report in its order: verdict, findings, then figures. */
export function outline(source: ReportSource, language: Language): Block[] {
  const { report, unreadable = '' } = source;
  const { words, format } = language;
  return [
    heading(1, words.title(report.facts.info.name)),
    { kind: 'text', text: words.verdict[report.verdict] },
    { kind: 'text', text: words.made(format.moment(report.facts.now)) },
    ...(unreadable === '' ? [] : [textBlock(words.unreadable(unreadable))]),
    heading(2, words.findings),
    ...findingBlocks(source, language),
    ...comparisonBlocks(source, language),
    ...spaceBlocks(report, language),
    ...gainBlocks(report, language),
    ...snapshotBlocks(report, language),
    ...chainBlocks(report, language),
    ...hashBlocks(report, language),
  ];
}

function heading(level: 1 | 2, text: string): Block {
  return { kind: 'heading', level, text };
}

function textBlock(text: string): Block {
  return { kind: 'text', text };
}

function text(title: string): Column {
  return { title, isNumber: false };
}

function number(title: string): Column {
  return { title, isNumber: true };
}

function findingBlocks({ report, fileName }: ReportSource, language: Language): Block[] {
  const { words, format } = language;
  if (report.findings.length === 0) return [textBlock(words.noFindings)];
  const backing = report.facts.info.backing?.name;
  return report.findings.map((finding) => {
    return {
      kind: 'finding',
      grade: words.grade[finding.grade],
      area: words.area[finding.area],
      said: sayFinding(finding, language, fileName, backing),
      places: placesOf(finding, words, format),
    };
  });
}

function placesOf({ places }: DiagnosisFinding, words: ReportWords, { count }: Format): string[] {
  const said = places.slice(0, PLACES).map(({ host, guest }) => {
    const inFile = host && words.inFile(...ends(host));
    const inDisk = guest && words.inDisk(...ends(guest));
    return [inFile, inDisk].filter((one) => one !== undefined).join(', ');
  });
  if (places.length > PLACES) said.push(words.more(count(places.length - PLACES)));
  return said.filter((one) => one !== '');
}

/** The first byte and the last. */
function ends({ offset, length }: { offset: number; length: number }): [string, string] {
  const hex = (value: number) => `0x${value.toString(16)}`;
  return [hex(offset), hex(offset + Math.max(1, length) - 1)];
}

function comparisonBlocks({ comparison }: ReportSource, language: Language): Block[] {
  if (comparison === undefined) return [];
  const { comparison: words, words: names, format } = language;
  const said = sayComparison(comparison, words, format, (one) => titleOf(one, language));
  const { columns, part } = names;
  const rows = comparison.growth.map(({ part: key, before, now, perDay }) => [
    ...[part[key], format.size(before), format.size(now)],
    perDay === undefined ? '' : words.perDay(perDay, format),
  ]);
  const titles = [columns.before, columns.now, columns.perDay].map(number);
  return [
    heading(2, said.heading),
    ...said.sentences.map(textBlock),
    ...(said.findings.length === 0 ? [] : [{ kind: 'list' as const, items: said.findings }]),
    ...(rows.length === 0 ? [] : [table([text(columns.part), ...titles], rows)]),
    ...said.forecasts.map(textBlock),
  ];
}

function table(columns: Column[], rows: string[][]): Block {
  return { kind: 'table', columns, rows };
}

/** All tables together, bytes. */
function tablesOf(metadata: MetadataSpace): number {
  const { header, l1, l2, refcounts, snapshots, bitmaps, crypto, other } = metadata;
  return header + l1 + l2 + refcounts + snapshots + bitmaps + crypto + other;
}

/** Every byte of the file once; the last row is their sum. */
function spaceBlocks({ facts }: DiagnosisReport, { words, format }: Language): Block[] {
  const space = facts.survey?.space;
  if (space === undefined) return [];
  const { fileSize } = space;
  const parts = [
    ...(['active', 'compressed', 'shared', 'snapshotOnly', 'vmState', 'zeroHeld'] as const),
    ...(['metadata', 'leaked', 'free', 'tail', 'damaged', 'unknown'] as const),
  ].map((key) => [key, key === 'metadata' ? tablesOf(space.metadata) : space[key]] as const);
  const rows = parts
    .filter(([, bytes]) => bytes > 0)
    .map(([key, bytes]) => [
      ...[words.part[key], format.size(bytes)],
      fileSize === 0 ? '' : format.percent(bytes / fileSize),
    ]);
  const { columns } = words;
  const titles = [text(columns.part), number(columns.size), number(columns.share)];
  const sum = [words.part.fileSize, format.size(fileSize), ''];
  return [heading(2, words.space), table(titles, [...rows, sum])];
}

/**
 * Ways to a smaller file that would give at least a hundredth of it. Nothing is thrown away while data
 * are in danger: what looks unused may be what was lost.
 */
function gainBlocks({ facts, verdict }: DiagnosisReport, { words, format }: Language): Block[] {
  if (verdict === 'danger') return [];
  const { survey, deep, info } = facts;
  const { fileSize } = info;
  const { gain, columns } = words;
  const active = survey?.space.active ?? 0;
  const forecasts = survey?.forecasts;
  const packed = deep === undefined || deep.sampled === 0 ? 1 : deep.sampledPacked / deep.sampled;
  const ways: [string, number][] = [
    [gain.compact, fileSize - (forecasts?.compact ?? fileSize)],
    ...(info.snapshots.length === 0
      ? []
      : ([[gain.withoutSnapshots, fileSize - (forecasts?.compactWithoutSnapshots ?? fileSize)]] as [
          string,
          number,
        ][])),
    [gain.compressed, Math.round(active * (1 - packed))],
    [gain.zeroFilled, deep?.zeroFilled ?? 0],
    [gain.equalToBacking, deep?.equalToBacking ?? 0],
  ];
  const rows = ways
    .filter(([, saved]) => saved > 0 && saved >= fileSize / 100)
    .map(([way, saved]) => [way, format.size(fileSize - saved), format.size(saved)]);
  if (rows.length === 0) return [];
  const titles = [text(columns.part), number(columns.file), number(columns.saved)];
  return [heading(2, words.gains), table(titles, rows)];
}

function snapshotBlocks({ facts }: DiagnosisReport, { words, format }: Language): Block[] {
  const snapshots = facts.survey?.snapshots ?? [];
  if (snapshots.length === 0) return [];
  const { columns } = words;
  const rows = snapshots
    .slice(0, ROWS)
    .map(({ id, name, dateSeconds, exclusive, total }) => [
      ...[id, name, format.moment(dateSeconds * 1000)],
      ...[format.size(exclusive), format.size(total)],
    ]);
  const titles = [
    ...[text(columns.id), text(columns.name), text(columns.taken)],
    ...[number(columns.own), number(columns.all)],
  ];
  return [
    heading(2, words.snapshots),
    table(titles, rows),
    ...leftOut(snapshots.length, words, format),
  ];
}

function leftOut(count: number, { more }: ReportWords, format: Format): Block[] {
  return count > ROWS ? [textBlock(more(format.count(count - ROWS)))] : [];
}

function chainBlocks({ facts }: DiagnosisReport, { words, format }: Language): Block[] {
  const { chain } = facts;
  if (chain.length < 2) return [];
  const { columns, missing } = words;
  const rows = chain
    .slice(0, ROWS)
    .map((layer) =>
      layer.missing
        ? [layer.name, missing, '', '', '']
        : [
            ...[layer.name, layer.format, format.size(layer.virtualSize)],
            ...[format.size(layer.fileSize), format.size(layer.serves)],
          ],
    );
  const titles = [
    ...[text(columns.name), text(columns.format)],
    ...[number(columns.disk), number(columns.file), number(columns.serves)],
  ];
  return [heading(2, words.chain), table(titles, rows), ...leftOut(chain.length, words, format)];
}

function hashBlocks({ hashes }: DiagnosisReport, { words }: Language): Block[] {
  const items = (['metadata', 'file'] as const).flatMap((key) => {
    const digest = hashes[key];
    return digest === undefined ? [] : [`${words.hash[key]}: ${digest}`];
  });
  return items.length === 0 ? [] : [heading(2, words.hashes), { kind: 'list', items }];
}
