import type { EngineFacts, ImageInfo } from '../worker/api.ts';
import { forecastConvert } from './forecast.ts';

/** What a private window can keep, bytes. */
export const IN_MEMORY_LIMIT = 2 ** 30;

/** Longer than this, and a result in the browser with a download is the better offer. Seconds. */
const PATIENCE = 20;

/** `web-01.qcow2` gives `web-01.raw`; a name that ends in .raw already is not offered again. */
export function suggestName(source: string): string {
  const stem = source.replace(/\.(qcow2?|img|raw)$/i, '');
  const name = `${stem === '' ? 'disk' : stem}.raw`;
  return name === source ? `${stem}-copy.raw` : name;
}

/** Where a result better goes: to a chosen place while that is quick, else into the browser. */
export function suggestWhere(
  info: ImageInfo,
  facts: EngineFacts | undefined,
  canPick: boolean,
): 'place' | 'browser' {
  if (!canPick) return 'browser';
  if (facts?.privateStorage === false || facts?.privateStorageInMemory === true) return 'place';
  return forecastConvert(info, undefined, 'place', true).seconds <= PATIENCE ? 'place' : 'browser';
}

/** The command line that does the same, quoted for a shell where needed. */
export function rawCommand(source: string, format: string, target: string): string {
  return `qemu-img convert -f ${format} -O raw ${quote(source)} ${quote(target)}`;
}

/** A word for a POSIX shell (and for the console here). */
export function quote(word: string): string {
  if (/^[\w./:@%+,=-]+$/.test(word)) return word.startsWith('-') ? `./${word}` : word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
