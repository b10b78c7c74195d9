import type { CheckReport, Finding, FindingKind, Severity } from '../worker/api.ts';
import type { FindingSentence } from './text/en-findings.ts';
import { exitCode, verdict } from './health.ts';
import type { OpenImage } from './open-image.svelte.ts';
import { bytes, hex, whole } from './units.ts';
import { words } from './words.svelte.ts';

/** Findings of one kind, the worst kinds first. */
export interface FindingGroup {
  kind: FindingKind;
  severity: Severity;
  /** All that there are; `findings` holds only the first of them. */
  total: number;
  findings: Finding[];
}

/** What to say of a group: beside other damage, some findings are not as harmless as alone. */
export function sentenceOf(group: FindingGroup): FindingSentence {
  const { findings } = words.image;
  const doubtful = group.findings.some((finding) => finding.repair !== 'safe');
  if (doubtful && group.kind === 'leak') return findings['leak-doubtful'];
  if (doubtful && group.kind === 'refcount-low') return findings['refcount-contested'];
  return findings[group.kind];
}

/** The least certain repair of a group is that of the whole. */
export function repairOf(group: FindingGroup): Finding['repair'] {
  const repairs = group.findings.map((finding) => finding.repair);
  if (repairs.includes('none')) return 'none';
  return repairs.includes('guess') ? 'guess' : 'safe';
}

const ORDER: Severity[] = ['corruption', 'error', 'notice', 'leak'];

/** In the reports that people paste, as many findings of each kind as somebody will read. */
const IN_TEXT = 50;

/** The findings by kind, with the true count of each kind. */
export function groupFindings({
  findings,
  findingCounts,
}: Pick<CheckReport, 'findings' | 'findingCounts'>): FindingGroup[] {
  const groups = new Map<FindingKind, FindingGroup>();
  for (const finding of findings) {
    const group = groups.get(finding.kind) ?? {
      kind: finding.kind,
      severity: finding.severity,
      total: findingCounts[finding.kind] ?? 0,
      findings: [],
    };
    group.findings.push(finding);
    group.total = Math.max(group.total, group.findings.length);
    groups.set(finding.kind, group);
  }
  return [...groups.values()].sort((a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity));
}

/** What was found while an image was opened and its check, if there was one, does not say again. */
export function noticedGroups(image: OpenImage): FindingGroup[] {
  const counts = image.check.report?.findingCounts ?? {};
  const findings = (image.opened?.findings ?? []).filter(({ kind }) => (counts[kind] ?? 0) === 0);
  return groupFindings({ findings, findingCounts: {} });
}

/** Where in the file: `0x50000`, with the length when it is known. */
export function hostPlace(finding: Finding): string {
  const { host } = finding;
  if (host === undefined) return '–';
  return host.length > 0
    ? `${hex(host.offset)} + ${bytes(host.length, words.tag)}`
    : hex(host.offset);
}

/** Which part of the disk: `0x10000 – 0x1ffff`. */
export function guestPlace(finding: Finding): string {
  const { guest } = finding;
  if (guest === undefined) return '–';
  if (guest.length <= 0) return hex(guest.offset);
  return `${hex(guest.offset)} – ${hex(guest.offset + guest.length - 1)}`;
}

/** The numbers of a finding: `refcount 2 · references 1`. */
export function valuesOf(finding: Finding): string {
  return Object.entries(finding.values)
    .filter(([name]) => name !== 'message')
    .map(([name, value]) => `${name} ${value}`)
    .join(' · ');
}

/** Who uses the cluster, in words. */
export function ownersOf(finding: Finding): string {
  const { owners, check } = words.image;
  return (finding.owners ?? [])
    .map((owner) => {
      const at = owner.guestOffset >= 0 ? ` ${check.atGuest(hex(owner.guestOffset))}` : '';
      const of = owner.snapshot === '' ? '' : ` (${check.ofSnapshot(owner.snapshot)})`;
      return `${owners[owner.kind]}${at}${of}`;
    })
    .join(', ');
}

function clusterSize(image: OpenImage): number {
  return image.info?.clusterSize ?? 0;
}

function heading(image: OpenImage, report: CheckReport): string[] {
  const { check } = words.image;
  const { counts } = check;
  return [
    `${check.verdictLabel}: ${verdict(report, clusterSize(image)).word}`,
    `${counts.corruptions}: ${report.corruptions}`,
    `${counts.leaks}: ${report.leaks}`,
    `${counts.errors}: ${report.checkErrors}`,
    `${counts.exit}: ${exitCode(report)}`,
    ...(report.aborted === undefined ? [] : [check.aborted(report.aborted)]),
  ];
}

function line(finding: Finding): string {
  const parts = [hostPlace(finding), guestPlace(finding), valuesOf(finding), ownersOf(finding)];
  return parts.filter((part) => part !== '' && part !== '–').join(' | ');
}

function more(group: FindingGroup): string[] {
  const left = group.total - Math.min(group.findings.length, IN_TEXT);
  return left > 0 ? [words.image.report.moreOmitted(whole(left, words.tag))] : [];
}

/** The report as plain text. Holds names and numbers of the image, no guest data. */
export function reportAsText(image: OpenImage, report: CheckReport): string {
  const { report: text } = words.image;
  const groups = groupFindings(report).flatMap((group) => [
    '',
    `${sentenceOf(group).title} (${group.total})`,
    sentenceOf(group).meaning,
    ...group.findings.slice(0, IN_TEXT).map((finding) => `  ${line(finding)}`),
    ...more(group),
  ]);
  const made = text.made(words.shell.app, __APP_VERSION__);
  return [`${text.title}: ${image.name}`, made, '', ...heading(image, report), ...groups, ''].join(
    '\n',
  );
}

/** What a check says, as lines of Markdown. */
export function checkAsMarkdown(image: OpenImage, report: CheckReport): string[] {
  const { check } = words.image;
  const { host, guest, values, owners } = check.columns;
  const groups = groupFindings(report).flatMap((group) => [
    '',
    `## ${sentenceOf(group).title} (${group.total})`,
    '',
    `${sentenceOf(group).meaning} ${sentenceOf(group).consequence}`,
    '',
    `| ${host} | ${guest} | ${values} | ${owners} |`,
    '| --- | --- | --- | --- |',
    ...group.findings
      .slice(0, IN_TEXT)
      .map((one) => [hostPlace(one), guestPlace(one), valuesOf(one), ownersOf(one)])
      .map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`),
    ...more(group),
  ]);
  return [...heading(image, report).map((entry) => `- ${entry}`), ...groups];
}

/** The report as Markdown, ready for an issue or a ticket. */
export function reportAsMarkdown(image: OpenImage, report: CheckReport): string {
  const { report: text } = words.image;
  const made = text.made(words.shell.app, __APP_VERSION__);
  const lines = checkAsMarkdown(image, report);
  return [`# ${text.title}: ${image.name}`, '', made, '', ...lines, ''].join('\n');
}

/** The whole report as data, with every finding that was kept. */
export function reportAsJson(image: OpenImage, report: CheckReport): string {
  const data = { app: `qcow2 workbench ${__APP_VERSION__}`, image: image.name, ...report };
  return `${JSON.stringify(data, null, 2)}\n`;
}
