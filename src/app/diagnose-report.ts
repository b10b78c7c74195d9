/** The diagnosis as a file to keep, and what has become of an image since an earlier one. */
import { toMarkdown } from '../command/diagnosis/markdown.ts';
import type { CompareReportsResult, DiagnosisReport } from '../worker/api.ts';
import { findingFormat, findingWords } from './diagnose-words.ts';
import { chooseFiles, download } from './files.ts';
import { jobs } from './jobs.svelte.ts';
import type { OpenImage } from './open-image.svelte.ts';
import { toProblem } from './problem.ts';
import { bytes, moment } from './units.ts';
import { words } from './words.svelte.ts';

export type ReportKind = 'markdown' | 'json';

/** The report as Markdown, in the language that is on; as the command line writes it. */
export function diagnosisAsMarkdown(name: string, report: DiagnosisReport): string {
  const { findings: texts, report: said } = words.part('diagnose');
  return toMarkdown(
    { report, fileName: name },
    { texts, words: said.words, comparison: said.comparison, format: findingFormat() },
  );
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
