import type { EngineFacts, ImageInfo } from '../worker/api.ts';
import { forecastConvert } from './forecast.ts';

/** What a private window can keep, bytes. */
export const IN_MEMORY_LIMIT = 2 ** 30;

/** Longer than this, and a result in the browser with a download is the better offer. Seconds. */
const PATIENCE = 20;

/**
 * `web-01.qcow2` gives `web-01.raw`, its snapshot `clean` gives `web-01-clean.raw`; a name that ends
 * in .raw already is not offered again.
 */
export function suggestName(source: string, snapshot = ''): string {
  const stem = source.replace(/\.(qcow2?|img|raw)$/i, '');
  const suffix = snapshot === '' ? '' : `-${snapshot.replace(/[^\p{L}\p{N}._-]+/gu, '_')}`;
  const name = `${stem === '' ? 'disk' : stem}${suffix}.raw`;
  return name === source ? `${stem}-copy.raw` : name;
}

/** `web-01.qcow2` gives `web-01-changed.qcow2`. */
export function suggestCopy(source: string): string {
  const at = source.lastIndexOf('.');
  return at > 0 ? `${source.slice(0, at)}-changed${source.slice(at)}` : `${source}-changed`;
}

/** Where a result better goes: to a chosen place while that is quick, else into the browser. */
export function suggestWhere(
  info: ImageInfo,
  facts: EngineFacts | undefined,
  canPick: boolean,
): 'place' | 'browser' {
  if (!canPick) return 'browser';
  if (facts?.privateStorage === false || facts?.privateStorageInMemory === true) return 'place';
  return forecastConvert(info, {}, 'place', true).seconds <= PATIENCE ? 'place' : 'browser';
}

/** What a conversion is of, for {@link rawCommand}. */
export interface CommandSource {
  name: string;
  format: string;
  /** The id of a snapshot; undefined for the disk as it is now. */
  snapshot: string | undefined;
  encrypted: boolean;
}

/** The command line that does the same, quoted for a shell where needed. */
export function rawCommand(source: CommandSource, target: string): string {
  const { name, format, snapshot, encrypted } = source;
  const which = snapshot === undefined ? '' : `-l ${quote(`snapshot.id=${snapshot}`)} `;
  const to = `${which}-O raw`;
  if (!encrypted) {
    return `qemu-img convert -f ${format} ${to} ${quote(name)} ${quote(target)}`;
  }
  // A passphrase on a command line would be seen by everybody on that computer.
  const secret = '--object secret,id=key,file=passphrase.txt';
  const file = name.replaceAll(',', ',,');
  const options = `driver=${format},encrypt.key-secret=key,file.filename=${file}`;
  return `qemu-img convert ${secret} --image-opts ${quote(options)} ${to} ${quote(target)}`;
}

/** A word for a POSIX shell (and for the console here). */
export function quote(word: string): string {
  if (/^[\w./:@%+,=-]+$/.test(word)) return word.startsWith('-') ? `./${word}` : word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
