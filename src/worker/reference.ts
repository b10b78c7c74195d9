/** What the name of another file in an image says, for people: nothing here is ever followed. */
import { protocolOf } from '../command/names.ts';
import type { FileReference } from './api.ts';

const JSON_PREFIX = 'json:';
/** Windows' paths begin with a letter and a colon, which QEMU elsewhere takes for a protocol. */
const DRIVE = /^[a-z]:[\\/]/i;
/** Options by which the file would read differently than it does alone. */
const CHANGES_CONTENT = ['offset', 'size', 'backing', 'data-file'];
/** Options of the block layer that lie one in another are followed as far as this. */
const MOST_DRIVERS = 10;
/** Drivers that lead to another machine, or to nothing at all, and not to a file here. */
const ELSEWHERE = /^(nbd|https?|ftps?|ssh|nfs|iscsi|iser|rbd|gluster|sheepdog|nvme|null)/;

/** The parts of a name. */
export function parseReference(name: string): FileReference {
  if (name.startsWith(JSON_PREFIX)) return parseJson(name);
  const protocol = DRIVE.test(name) ? undefined : protocolOf(name);
  if (protocol === undefined) return pathReference(name);
  if (protocol === 'file') return pathReference(name.slice('file:'.length));
  const fileName = fileNameOfAddress(protocol, name);
  return { kind: 'protocol', drivers: [protocol], fileName, target: name };
}

/** The last part of a path, whichever way its slashes lean. */
export function baseName(name: string): string {
  return name.split(/[/\\]/).at(-1) ?? name;
}

/** The name of an external data file: always of a file, whatever it looks like. */
export function pathReference(target: string): FileReference {
  return { kind: 'path', drivers: [], fileName: baseName(target), target };
}

/** What lies behind a web address can be had as a file; a network block device cannot. */
function fileNameOfAddress(protocol: string, address: string): string {
  if (!['http', 'https', 'ftp', 'ftps', 'ssh', 'nfs'].includes(protocol)) return '';
  return baseName(address.replace(/[?#].*$/, ''));
}

type Options = Record<string, unknown>;

function parseJson(name: string): FileReference {
  const options = jsonOptions(name);
  const drivers: string[] = [];
  let level = options;
  while (level !== undefined && drivers.length < MOST_DRIVERS) {
    const driver = level['driver'];
    if (typeof driver === 'string') drivers.push(driver);
    const next: Options | undefined = nested(level, 'file');
    if (next === undefined) break;
    level = next;
  }
  const target = targetOf(level);
  const last = drivers.at(-1) ?? '';
  const fileName = ELSEWHERE.test(last) ? fileNameOfAddress(last, target) : baseName(target);
  return { kind: 'json', drivers, fileName, target };
}

function jsonOptions(name: string): Options | undefined {
  try {
    const parsed: unknown = JSON.parse(name.slice(JSON_PREFIX.length));
    return isOptions(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function isOptions(value: unknown): value is Options {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An option that has options itself, written as an object or flat: `"file.driver": …`. */
function nested(options: Options, key: string): Options | undefined {
  const direct = options[key];
  if (isOptions(direct)) return direct;
  const prefix = `${key}.`;
  const flat = Object.entries(options).filter(([name]) => name.startsWith(prefix));
  if (flat.length === 0) return undefined;
  return Object.fromEntries(flat.map(([name, value]) => [name.slice(prefix.length), value]));
}

/** The file or address in the innermost options. */
function targetOf(options: Options | undefined): string {
  if (options === undefined) return '';
  const text = (key: string): string => {
    const value = options[key];
    return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  };
  const whole = text('filename') || text('url') || text('path');
  if (whole !== '') return whole;
  const server = nested(options, 'server');
  const host = text('host') || (typeof server?.['host'] === 'string' ? server['host'] : '');
  const port = text('port') || (typeof server?.['port'] === 'string' ? server['port'] : '');
  const name = text('export') || text('image') || text('volume');
  return [host + (port === '' ? '' : `:${port}`), name].filter((part) => part !== '').join('/');
}

/**
 * What the options of a `json:` name ask for that a plain file cannot stand in for: another format
 * than it will be read as, or only a part of the file. Undefined when there is nothing of the kind.
 */
export function beyondAFile(name: string, format: string): string | undefined {
  if (!name.startsWith(JSON_PREFIX)) return undefined;
  const options = jsonOptions(name);
  if (options === undefined) return JSON_PREFIX;
  const { driver } = options;
  // Without `file`, the driver is that of the file itself, and the format is found by looking.
  const file = nested(options, 'file');
  const isFormat = file !== undefined && typeof driver === 'string';
  if (isFormat && driver !== format) return `${JSON_PREFIX} driver=${driver}`;
  if (file !== undefined && nested(file, 'file') !== undefined) return `${JSON_PREFIX} file.file`;
  const names = Object.keys(options);
  const found = CHANGES_CONTENT.find((key) =>
    names.some((name) => name === key || name.startsWith(`${key}.`)),
  );
  return found === undefined ? undefined : `${JSON_PREFIX} ${found}`;
}
