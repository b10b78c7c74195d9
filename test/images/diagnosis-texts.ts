/** What the texts of findings must be, in every language: for tests of rules. */
import { expect } from 'vitest';
import { ZH_DIAGNOSIS_TEXTS } from '../../src/app/text/diagnosis/zh-CN.ts';
import { DIAGNOSIS_TEXTS } from '../../src/command/diagnosis/all.ts';
import type { FindingText, Format } from '../../src/command/diagnosis/texts.ts';
import type { DiagnosisFinding } from '../../src/engine/index.ts';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

/** Writes numbers plainly. A number that is none is not hidden: `NaN` stays `NaN`. */
export const TEST_FORMAT: Format = {
  size: (bytes) => {
    const unit = bytes < 1024 ? 0 : Math.min(6, Math.floor(Math.log2(bytes) / 10));
    return `${Math.round((bytes / 1024 ** unit) * 10) / 10} ${UNITS[unit]}`;
  },
  count: (number) => String(number),
  percent: (share) => `${Math.round(share * 100)} %`,
  moment: (time) => new Date(time).toISOString().slice(0, 16).replace('T', ' '),
};

const NONSENSE = /undefined|NaN|Infinity|\[object|null/;
const HAN = '\\p{Script=Han}';
const TIGHT = new RegExp(`${HAN}[A-Za-z0-9]|[A-Za-z0-9]${HAN}`, 'u');
const HALF_WIDTH = new RegExp(`${HAN}[,;:?!]|${HAN}\\.(?:\\s|$)`, 'u');

/** The words of a finding in one language. */
export interface SaidText {
  title: string;
  why: string;
  advice: string;
}

/** What is said of a finding, English and Chinese. */
export function textsOf(finding: DiagnosisFinding): { en: SaidText; zh: SaidText } {
  return { en: say(DIAGNOSIS_TEXTS, finding), zh: say(ZH_DIAGNOSIS_TEXTS, finding) };
}

/** Both languages have words for a finding, and they are whole sentences without nonsense. */
export function expectTexts(finding: DiagnosisFinding): void {
  const { en, zh } = textsOf(finding);
  for (const [language, said] of Object.entries({ en, zh })) {
    for (const [part, text] of Object.entries(said) as [string, string][]) {
      const where = `${finding.code} ${language} ${part}: ${text}`;
      expect(typeof text, where).toBe('string');
      expect(text, where).not.toMatch(NONSENSE);
      expect(text, where).not.toMatch(/[!！]| {2}|^\s|\s$/);
      if (part === 'title') expect(text, where).toMatch(/[^.。]$/);
      if (part === 'why') expect(text, where).not.toBe('');
      if (part !== 'title' && text !== '') expect(text, where).toMatch(/[.?。？…]$/);
      if (language === 'zh' && text !== '') {
        expect(text, where).toMatch(new RegExp(HAN, 'u'));
        expect(text, where).not.toMatch(TIGHT);
        expect(text, where).not.toMatch(HALF_WIDTH);
      }
    }
  }
}

function say(texts: unknown, { code, values }: DiagnosisFinding): SaidText {
  const text = (texts as Record<string, FindingText<unknown> | undefined>)[code];
  if (text === undefined) throw new Error(`no text for ${code}`);
  return {
    title: text.title(values, TEST_FORMAT),
    why: text.why(values, TEST_FORMAT),
    advice: text.advice(values, TEST_FORMAT),
  };
}
