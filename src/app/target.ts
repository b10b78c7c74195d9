import type { EngineFacts, ImageInfo } from '../worker/api.ts';
import { forecastConvert, type MakingWay } from './forecast.ts';
import { speeds } from './speeds.ts';

/** What a private window can keep, bytes. */
export const IN_MEMORY_LIMIT = 2 ** 30;

/**
 * Longer than this, and what gets there sooner is the better offer: a result in the browser with a
 * download, as a rule, because the browser's check of a chosen place takes most of the time. Seconds.
 */
const PATIENCE = 4;

/** Ends of names that say what a file is, and are of no use in the name of another format. */
const KNOWN = /\.(qcow2?|img|raw|vmdk|vdi|vhdx?|qed|hdd|hds|ova|dmg|luks)(\.(gz|xz|bz2|zst))?$/i;

/**
 * `web-01.qcow2` gives `web-01.raw`, its snapshot `clean` gives `web-01-clean.raw`; the name of the
 * source itself is not offered again.
 */
export function suggestName(source: string, snapshot = '', suffix = '.raw'): string {
  const stem = source.replace(KNOWN, '');
  const middle = snapshot === '' ? '' : `-${snapshot.replace(/[^\p{L}\p{N}._-]+/gu, '_')}`;
  const name = `${stem === '' ? 'disk' : stem}${middle}${suffix}`;
  return name === source ? `${stem}-copy${suffix}` : name;
}

/** `web-01.qcow2` gives `web-01-changed.qcow2`. */
export function suggestCopy(source: string): string {
  const at = source.lastIndexOf('.');
  return at > 0 ? `${source.slice(0, at)}-changed${source.slice(at)}` : `${source}-changed`;
}

/**
 * Where a result better goes: to a chosen place while that is quick, else by the way that brings it to
 * the person's disk sooner.
 */
export function suggestWhere(
  info: ImageInfo,
  facts: EngineFacts | undefined,
  canPick: boolean,
  way?: MakingWay,
): 'place' | 'browser' {
  if (!canPick) return 'browser';
  if (facts?.privateStorage === false || facts?.privateStorageInMemory === true) return 'place';
  const place = forecastConvert(info, {}, 'place', true, way, speeds.factor);
  if (place.seconds <= PATIENCE) return 'place';
  const browser = forecastConvert(info, {}, 'browser', true, way, speeds.factor);
  return place.seconds <= browser.seconds + browser.downloadSeconds ? 'place' : 'browser';
}

/** What a conversion is of, for {@link sourceWords}. */
export interface CommandSource {
  name: string;
  format: string;
  /** The id of a snapshot; undefined for the disk as it is now. */
  snapshot: string | undefined;
  encrypted: boolean;
}

/** What `qemu-img convert` is told of a source, with the options of the target before its name. */
export function sourceWords(source: CommandSource, target: string): string {
  const { name, format, snapshot, encrypted } = source;
  const which = snapshot === undefined ? '' : `-l ${quote(`snapshot.id=${snapshot}`)} `;
  if (!encrypted) return `-f ${format} ${which}${target} ${quote(name)}`;
  // A passphrase on a command line would be seen by everybody on that computer.
  const secret = '--object secret,id=key,file=passphrase.txt';
  const file = name.replaceAll(',', ',,');
  const key = format === 'luks' ? 'key-secret' : 'encrypt.key-secret';
  const options = `driver=${format},${key}=key,file.filename=${file}`;
  return `${secret} --image-opts ${quote(options)} ${which}${target}`;
}

/** A word for a POSIX shell (and for the console here). */
export function quote(word: string): string {
  if (/^[\w./:@%+,=-]+$/.test(word)) return word.startsWith('-') ? `./${word}` : word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
