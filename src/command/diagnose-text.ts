/** A diagnosis for a terminal: lines of at most 80 columns where words allow it. */
import { outline, type Block, type Column, type Language } from './diagnosis/outline.ts';
import type { ReportSource } from './diagnosis/outline.ts';

const WIDTH = 80;
const INDENT = '    ';

/** Ends with a line break. What an image names cannot move the cursor. */
export function toTerminal(source: ReportSource, language: Language): string {
  const blocks = outline(source, language);
  const parts = blocks.map((block, index) => {
    const text = blockText(block, language);
    const before = blocks[index - 1]?.kind;
    const isApart = block.kind === 'heading' || before === 'finding';
    return isApart && index > 0 ? `\n${text}` : text;
  });
  return `${parts.join('\n')}\n`.replace(/[^\P{Cc}\n]/gu, '\uFFFD');
}

function blockText(block: Block, language: Language): string {
  switch (block.kind) {
    case 'heading':
      return oneLine(block.text);
    case 'text':
      return wrap(block.text, INDENT);
    case 'list':
      return block.items.map((item) => wrap(item, `${INDENT}- `, `${INDENT}  `)).join('\n');
    case 'table':
      return tableText(block.columns, block.rows);
    case 'finding':
      return findingText(block, language);
  }
}

function findingText(
  { grade, said, places }: Extract<Block, { kind: 'finding' }>,
  { words }: Language,
): string {
  const { title, why, advice, commands } = said;
  const needsLead = advice !== '' || commands.length > 0;
  const lines = [
    wrap(`${grade.toUpperCase()}: ${title}`, '  ', INDENT),
    wrap(why, INDENT),
    ...(needsLead ? [wrap(`${words.todo} ${advice}`.trimEnd(), INDENT)] : []),
    // A command is one line, however long: it is copied.
    ...commands.map((command) => `${INDENT}${INDENT}${command}`),
    ...(places.length === 0 ? [] : [wrap(`${words.where} ${places.join('; ')}`, INDENT)]),
  ];
  return lines.filter((line) => line !== '').join('\n');
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

/** Breaks text between words. @param next before the lines after the first */
function wrap(text: string, first: string, next = first): string {
  const lines: string[] = [];
  let line = '';
  for (const word of oneLine(text).split(' ')) {
    const start = lines.length === 0 ? first : next;
    const isTooLong = start.length + line.length + 1 + word.length > WIDTH;
    if (line !== '' && isTooLong) {
      lines.push(start + line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  if (line !== '') lines.push((lines.length === 0 ? first : next) + line);
  return lines.join('\n');
}

function tableText(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const cells = [columns.map(({ title }) => title), ...rows].map((row) => row.map(oneLine));
  const widths = columns.map((_, index) => {
    return cells.reduce((width, row) => Math.max(width, (row[index] ?? '').length), 0);
  });
  const lines = cells.map((row) => {
    const padded = row.map((cell, index) => {
      const width = widths[index] ?? 0;
      return columns[index]?.isNumber === true ? cell.padStart(width) : cell.padEnd(width);
    });
    return `${INDENT}${padded.join('  ')}`.trimEnd();
  });
  return lines.join('\n');
}
