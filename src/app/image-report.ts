/** All that is known of an image in one file, for a bug report or a ticket. No guest data. */
import { factsOf } from './facts.ts';
import { download } from './files.ts';
import { healthOf } from './health.ts';
import type { OpenImage } from './open-image.svelte.ts';
import { checkAsMarkdown } from './report.ts';
import { moment } from './units.ts';
import { words } from './words.svelte.ts';

export type ReportKind = 'markdown' | 'json';

/** Marks that mean something in a table of Markdown. */
function cell(text: string): string {
  return text
    .replaceAll('\\', '\\\\')
    .replaceAll('|', '\\|')
    .replaceAll(/\s*\n\s*/g, ' ');
}

/** The report as Markdown: what it is, the files it needs, its snapshots, its check. */
export function imageReport(image: OpenImage, now = Date.now()): string {
  const { report: text, chain, overview } = words.image;
  const groups = factsOf(image).flatMap(({ title, facts }) => [
    '',
    `## ${title}`,
    '',
    '| | |',
    '| --- | --- |',
    ...facts.map(({ label, value, note }) => {
      return `| ${cell(label)} | ${cell(note === '' ? value : `${value} (${note})`)} |`;
    }),
  ]);
  const files = image.chain.map(({ kind, name, state }) => {
    return `- ${chain.kinds[kind]}: ${cell(name)} (${chain.states[state]})`;
  });
  const snapshots = (image.info?.snapshots ?? []).map(({ id, name, dateSeconds }) => {
    return `- ${cell(`${id} ${name}`)} (${moment(dateSeconds * 1000, words.tag)})`;
  });
  const { check } = image;
  return [
    `# ${text.title}: ${image.name}`,
    '',
    `${text.made(words.shell.app, __APP_VERSION__)}, ${new Date(now).toISOString()}`,
    '',
    `- ${words.image.health.label}: ${healthOf(image).word}`,
    ...groups,
    ...section(text.files, files.length > 1 ? files : []),
    ...section(overview.snapshots, snapshots),
    ...section(
      text.check,
      check.report === undefined ? [text.notChecked] : checkAsMarkdown(image, check.report),
    ),
    '',
    text.noGuestData,
    '',
  ].join('\n');
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', `## ${title}`, '', ...lines];
}

/** The same as data, with every finding that was kept. */
export function imageReportAsJson(image: OpenImage, now = Date.now()): string {
  const files = image.chain.map(({ kind, name, state }) => ({ kind, name, state }));
  const data = {
    app: `qcow2 workbench ${__APP_VERSION__}`,
    made: new Date(now).toISOString(),
    image: image.name,
    info: image.info,
    files,
    noticed: image.opened?.findings ?? [],
    check: image.check.report,
  };
  return `${JSON.stringify(data, null, 2)}\n`;
}

/** Gives it out as a download: small, so no place is asked for. */
export function saveReport(image: OpenImage, kind: ReportKind): void {
  const isJson = kind === 'json';
  const content = isJson ? imageReportAsJson(image) : imageReport(image);
  const type = isJson ? 'application/json' : 'text/markdown';
  const blob = new Blob([content], { type: `${type};charset=utf-8` });
  download(blob, `${image.name}-report.${isJson ? 'json' : 'md'}`);
}
