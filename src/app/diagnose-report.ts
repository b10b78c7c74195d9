/** The diagnosis as a file to keep, and what has become of an image since an earlier one. */
import type { CompareReportsResult, DiagnosisFinding, DiagnosisReport } from '../worker/api.ts';
import { accountRows, figuresOf, gainsOf } from './diagnose-figures.ts';
import { findingWords } from './diagnose-words.ts';
import { chooseFiles, download } from './files.ts';
import { jobs } from './jobs.svelte.ts';
import type { OpenImage } from './open-image.svelte.ts';
import { toProblem } from './problem.ts';
import { bytes, moment, percent } from './units.ts';
import { words } from './words.svelte.ts';

export type ReportKind = 'markdown' | 'json';

/** Marks that mean something in Markdown; names come out of the image. */
function plain(text: string): string {
  return text.replaceAll(/[\\`*_[\]<>|#]/g, '\\$&').replaceAll(/\s*\n\s*/g, ' ');
}

/** The report as Markdown, in the language that is on. */
export function diagnosisAsMarkdown(name: string, report: DiagnosisReport): string {
  const text = words.part('diagnose');
  const { facts, verdict, hashes } = report;
  const { title, text: said } = text.verdict[verdict];
  const made = words.image.report.made(words.shell.app, __APP_VERSION__);
  return [
    `# ${text.report.heading(plain(name))}`,
    '',
    `${made}, ${report.date}`,
    '',
    `**${title}.** ${said}`,
    ...(hashes.metadata === undefined ? [] : ['', `${text.report.hash}: \`${hashes.metadata}\``]),
    ...section(text.list, findingLines(report.findings)),
    ...spaceLines(report),
    ...section(
      text.figures.title,
      figuresOf(facts).map(({ label, value }) => `- ${label}: ${value}`),
    ),
    '',
    words.image.report.noGuestData,
    '',
  ].join('\n');
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', `## ${title}`, '', ...lines];
}

function findingLines(findings: readonly DiagnosisFinding[]): string[] {
  const text = words.part('diagnose');
  if (findings.length === 0) return [text.none];
  return findings.flatMap((finding) => {
    const { title, why, advice } = findingWords(finding);
    const about = `${text.grades[finding.grade]}, ${text.areas[finding.area]}`;
    const more = [why, advice].filter((line) => line !== '').map((line) => `  ${plain(line)}`);
    return [`- **${plain(title)}** (${about}, \`${finding.code}\`)`, ...more];
  });
}

function spaceLines({ facts }: DiagnosisReport): string[] {
  const { survey, info } = facts;
  if (survey === undefined) return [];
  const { space: text, gains } = words.part('diagnose');
  const { tag } = words;
  const total = survey.space.fileSize;
  const { what, size, share } = text.columns;
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rows = accountRows(survey.space).map((part) =>
    row([text.parts[part.kind], bytes(part.size, tag), percent(part.size, total, tag)]),
  );
  const forecasts =
    survey.forecasts === undefined
      ? []
      : gainsOf(info.fileSize, survey.forecasts, info.snapshots.length).map(
          (gain) => `- ${gains[gain.kind]}: ${bytes(gain.size, tag)}`,
        );
  const snapshots = survey.snapshots.map(({ name, exclusive }) => {
    return `- ${plain(name)}: ${text.exclusive} ${bytes(exclusive, tag)}`;
  });
  return [
    ...section(text.title, [row([what, size, share]), '| --- | ---: | ---: |', ...rows]),
    ...section(text.snapshots, snapshots),
    ...section(gains.title, forecasts),
  ];
}

/** The report as data, with the words of each finding. */
export function diagnosisAsJson(report: DiagnosisReport): string {
  const findings = report.findings.map((finding) => ({ ...finding, ...findingWords(finding) }));
  return `${JSON.stringify({ ...report, findings }, null, 2)}\n`;
}

/** `web-01.qcow2` gives `web-01-diagnosis-2026-11-22.json`. */
export function reportName(image: string, kind: ReportKind, date: string): string {
  const stem = image.replace(/\.[^.]+$/, '');
  return `${stem}-diagnosis-${date.slice(0, 10)}.${kind === 'json' ? 'json' : 'md'}`;
}

/** Gives the report out as a download. */
export function saveDiagnosis(image: OpenImage, kind: ReportKind): void {
  const report = image.diagnose.result?.diagnosis;
  if (report === undefined) return;
  const isJson = kind === 'json';
  const text = isJson ? diagnosisAsJson(report) : diagnosisAsMarkdown(image.name, report);
  const type = isJson ? 'application/json' : 'text/markdown';
  download(new Blob([text], { type }), reportName(image.diskName, kind, report.date));
}

/** Asks for an earlier report and holds the diagnosis against it. Needs a click or key. */
export async function compareWithReport(image: OpenImage): Promise<void> {
  const state = image.diagnose;
  const now = state.result?.diagnosis;
  const [chosen] = await chooseFiles(false);
  if (now === undefined || chosen === undefined) return;
  state.problem = undefined;
  try {
    const request = { kind: 'compare-reports', now, earlier: chosen.file } as const;
    const result = await jobs.run<'compare-reports'>(request, image.name, { quiet: true });
    state.comparison = { name: chosen.file.name, result };
  } catch (error) {
    state.problem = toProblem(error, chosen.file.name);
  }
}

export interface NamedComparison {
  /** Of the report. */
  name: string;
  result: CompareReportsResult;
}

/** When, in words: the time between two reports. */
export function daysWords(days: number): string {
  const text = words.part('diagnose').report;
  if (Math.abs(days) < 1) return text.lessThanADay;
  return text.days(
    new Intl.NumberFormat(words.tag, { maximumFractionDigits: Math.abs(days) < 10 ? 1 : 0 }).format(
      days,
    ),
  );
}

/** A day of the calendar. */
export function dayWords(time: number): string {
  return new Intl.DateTimeFormat(words.tag, { dateStyle: 'long' }).format(time);
}

/** `+1.5 MiB`, `−3 KiB`. */
export function changeWords(change: number): string {
  if (change === 0) return '0';
  return `${change > 0 ? '+' : '−'}${bytes(Math.abs(change), words.tag)}`;
}

/** When two reports were made, and how long lies between them. */
export function sinceWords({
  before,
  now,
  days,
}: {
  before: number;
  now: number;
  days: number;
}): string {
  const { tag } = words;
  return words
    .part('diagnose')
    .report.since(moment(before, tag), moment(now, tag), daysWords(days));
}
