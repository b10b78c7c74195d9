/** A report as Markdown, to be kept beside the image. Pure: the app prints it in other languages. */
import { outline, type Block, type Column, type Language, type ReportSource } from './outline.ts';

/**
 * The report as Markdown (CommonMark with tables). Names that come from the image are escaped: they
 * can neither add headings nor links.
 */
export function toMarkdown(source: ReportSource, language: Language): string {
  const blocks = outline(source, language).map((block) => blockText(block, language));
  return `${blocks.join('\n\n')}\n`;
}

function blockText(block: Block, language: Language): string {
  switch (block.kind) {
    case 'heading':
      return `${'#'.repeat(block.level)} ${inline(block.text)}`;
    case 'text':
      return inline(block.text);
    case 'list':
      return block.items.map((item) => `- ${inline(item)}`).join('\n');
    case 'table':
      return tableText(block.columns, block.rows);
    case 'finding':
      return findingText(block, language);
  }
}

function findingText(
  { grade, area, said, places }: Extract<Block, { kind: 'finding' }>,
  { words }: Language,
): string {
  const { title, why, advice, commands } = said;
  const isEmpty = advice === '' && commands.length === 0;
  const parts = [
    `### ${inline(`${grade} · ${area}: ${title}`)}`,
    inline(why),
    ...(isEmpty ? [] : [`**${inline(words.todo)}** ${inline(advice)}`.trimEnd()]),
    ...(commands.length === 0 ? [] : [fenced(commands)]),
    ...(places.length === 0 ? [] : [`${inline(words.where)} ${inline(places.join('; '))}`]),
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}

/** Text of one line, in which nothing means anything to Markdown. */
function inline(text: string): string {
  return text
    .replace(/\s*[\n\r]+\s*/g, ' ')
    .replace(/\p{Cc}/gu, '\uFFFD')
    .replace(/[\\`*_[\]<>|~]/g, '\\$&')
    .replace(/&(?=#?\w+;)/g, '\\&')
    .replace(/^(\s*)([#+-]|\d+[.)])(?=\s|$)/, '$1\\$2');
}

/** Lines as they are, within a fence that is longer than any run of backticks in them. */
function fenced(lines: readonly string[]): string {
  const text = lines.join('\n').replace(/[^\P{Cc}\n]/gu, '\uFFFD');
  const runs = text.match(/`+/g) ?? [];
  const fence = '`'.repeat(Math.max(3, ...runs.map(({ length }) => length + 1)));
  return `${fence}sh\n${text}\n${fence}`;
}

function tableText(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    line(columns.map(({ title }) => inline(title))),
    line(columns.map(({ isNumber }) => (isNumber ? '---:' : '---'))),
    ...rows.map((cells) => line(cells.map(inline))),
  ].join('\n');
}
