/**
 * Reads a report that was kept. It may be anything: a file of somebody else, of another version, or
 * made to do harm. Nothing is taken over but what is known, in the right type, and in bounds.
 */
import type { SpaceAccount } from '../formats/survey.ts';
import { AREAS, GRADES, type Area, type DiagnosisVerdict, type Grade } from './diagnosis.ts';
import type {
  EarlierDiagnosis,
  EarlierFacts,
  EarlierFileSystem,
  EarlierFinding,
  EarlierGuest,
  EarlierLayer,
  EarlierSnapshot,
} from './report.ts';

/**
 * Why it is not used: larger than any report; no JSON; JSON of something else; of a structure that
 * this version does not know; it lacks what a report has.
 */
export type ReportRefusal = 'too-large' | 'not-json' | 'foreign' | 'version' | 'damaged';

export type ParsedDiagnosis =
  | { kind: 'ok'; report: EarlierDiagnosis }
  /** `where`: the field that is wrong, as `facts.info.fileSize`; '' where it is about all of it. */
  | { kind: 'refused'; reason: ReportRefusal; where: string };

/** A report with all that it can list, characters. */
export const LONGEST_REPORT = 16 * 1024 * 1024;

const MOST_ENTRIES = 70_000;
const LONGEST_TEXT = 4096;
const MOST_VALUES = 100;
/** The latest date of ECMAScript. */
const LAST_MOMENT = 8.64e15;
const VERDICTS: readonly DiagnosisVerdict[] = ['healthy', 'attention', 'problem', 'danger'];
const PARTS = [
  ...([
    'fileSize',
    'active',
    'compressed',
    'shared',
    'snapshotOnly',
    'vmState',
    'zeroHeld',
  ] as const),
  ...(['leaked', 'free', 'tail', 'damaged', 'unknown'] as const),
];
const METADATA = [
  ...(['header', 'l1', 'l2', 'refcounts', 'snapshots', 'bitmaps', 'crypto', 'other'] as const),
];

/**
 * Reads the JSON of a report: of `diagnose --output=json` or of the app.
 * @returns why not, where it cannot be used; nothing is thrown
 */
export function parseDiagnosis(text: string): ParsedDiagnosis {
  if (text.length > LONGEST_REPORT) return refused('too-large');
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    return refused('not-json');
  }
  if (!isRecord(value) || !isRecord(value['facts']) || !Array.isArray(value['findings'])) {
    return refused('foreign');
  }
  if (value['schema'] !== 1) return refused('version', 'schema');
  try {
    return { kind: 'ok', report: reportIn(new Fields(value, '')) };
  } catch (error) {
    if (!(error instanceof Wrong)) throw error;
    return refused('damaged', error.message);
  }
}

function refused(reason: ReportRefusal, where = ''): ParsedDiagnosis {
  return { kind: 'refused', reason, where };
}

/** A field is not what it has to be; the message is its name. */
class Wrong extends Error {}

type Plain = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Plain {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The fields of an object, each asked for by its type. */
class Fields {
  readonly #value: Plain;
  readonly #path: string;

  constructor(value: Plain, path: string) {
    this.#value = value;
    this.#path = path;
  }

  /** Undefined for what is not there. JSON writes null in lists for what is not there. */
  #get(key: string): unknown {
    const value = Object.hasOwn(this.#value, key) ? this.#value[key] : undefined;
    return value === null ? undefined : value;
  }

  #wrong(key: string): Wrong {
    return new Wrong(`${this.#path}${key}`);
  }

  has(key: string): boolean {
    return this.#get(key) !== undefined;
  }

  text(key: string): string {
    const value = this.#get(key);
    if (typeof value !== 'string') throw this.#wrong(key);
    return plainText(value);
  }

  /** Sizes, counts and times: none of them is negative. */
  number(key: string): number {
    const value = this.#get(key);
    if (typeof value !== 'number' || !(value >= 0 && value <= 2 ** 63)) throw this.#wrong(key);
    return value;
  }

  /** Milliseconds since 1970 that a calendar has a date for. */
  moment(key: string): number {
    const value = this.number(key);
    if (value > LAST_MOMENT) throw this.#wrong(key);
    return value;
  }

  flag(key: string): boolean {
    const value = this.#get(key);
    if (typeof value !== 'boolean') throw this.#wrong(key);
    return value;
  }

  oneOf<T extends string>(key: string, known: readonly T[]): T {
    const value = this.#get(key);
    const found = known.find((one) => one === value);
    if (found === undefined) throw this.#wrong(key);
    return found;
  }

  part(key: string): Fields {
    const value = this.#get(key);
    if (!isRecord(value)) throw this.#wrong(key);
    return new Fields(value, `${this.#path}${key}.`);
  }

  optional<T>(key: string, read: (key: string) => T): T | undefined {
    return this.has(key) ? read(key) : undefined;
  }

  list<T>(key: string, read: (entry: Fields) => T): T[] {
    return this.entries(key).map((entry, index) => {
      if (!isRecord(entry)) throw this.#wrong(`${key}[${index}]`);
      return read(new Fields(entry, `${this.#path}${key}[${index}].`));
    });
  }

  entries(key: string): readonly unknown[] {
    const value = this.#get(key);
    if (!Array.isArray(value) || value.length > MOST_ENTRIES) throw this.#wrong(key);
    return value;
  }

  /** Whatever a finding says of itself, as far as it is plain. */
  values(key: string): object {
    const value = this.#get(key);
    if (!isRecord(value)) throw this.#wrong(key);
    const kept = Object.entries(value).slice(0, MOST_VALUES).map(plainEntry);
    return Object.fromEntries(kept.filter((entry) => entry !== undefined));
  }
}

/** Without what would move a terminal's cursor; cut where nobody would read on. */
function plainText(text: string): string {
  return text.replace(/\p{Cc}/gu, '\uFFFD').slice(0, LONGEST_TEXT);
}

function plainEntry([key, value]: [string, unknown]): [string, unknown] | undefined {
  if (Array.isArray(value)) {
    const list = value.slice(0, MOST_VALUES).map(plainValue);
    return [plainText(key), list.filter((one) => one !== undefined)];
  }
  const plain = plainValue(value);
  return plain === undefined ? undefined : [plainText(key), plain];
}

function plainValue(value: unknown): string | number | boolean | undefined {
  if (typeof value === 'string') return plainText(value);
  return typeof value === 'number' || typeof value === 'boolean' ? value : undefined;
}

function reportIn(fields: Fields): EarlierDiagnosis {
  const hashes = fields.optional('hashes', (key) => fields.part(key));
  return {
    verdict: fields.oneOf('verdict', VERDICTS),
    findings: fields.list('findings', findingIn),
    facts: factsIn(fields.part('facts')),
    hashes: hashes && { metadata: digestIn(hashes, 'metadata'), file: digestIn(hashes, 'file') },
  };
}

function digestIn(fields: Fields, key: string): string | undefined {
  const digest = fields.optional(key, (name) => fields.text(name));
  return digest !== undefined && /^[0-9a-f]{64}$/.test(digest) ? digest : undefined;
}

function findingIn(fields: Fields): EarlierFinding {
  return {
    code: fields.text('code'),
    area: fields.oneOf<Area>('area', AREAS),
    grade: fields.oneOf<Grade>('grade', GRADES),
    values: fields.values('values'),
    title: fields.optional('title', (key) => fields.text(key)),
  };
}

function factsIn(fields: Fields): EarlierFacts {
  const info = fields.part('info');
  const description = info.optional('description', (key) => info.part(key));
  return {
    now: fields.moment('now'),
    info: {
      name: info.text('name'),
      format: info.text('format'),
      virtualSize: info.number('virtualSize'),
      fileSize: info.number('fileSize'),
      clusterSize: info.optional('clusterSize', (key) => info.number(key)),
      snapshots: info.list('snapshots', snapshotIn),
      description: description && {
        facts: description
          .list('facts', (fact) => (fact.text('key') === 'uuid' ? fact.text('value') : ''))
          .filter((value) => value !== '')
          .map((value) => ({ key: 'uuid', value })),
      },
    },
    survey: fields.optional('survey', (key) => ({
      space: spaceIn(fields.part(key).part('space')),
    })),
    chain: fields.list('chain', layerIn),
    guest: fields.optional('guest', (key) => guestIn(fields.part(key))),
  };
}

function snapshotIn(fields: Fields): EarlierSnapshot {
  return {
    id: fields.text('id'),
    name: fields.text('name'),
    dateSeconds: fields.number('dateSeconds'),
  };
}

function spaceIn(fields: Fields): SpaceAccount {
  const metadata = fields.part('metadata');
  const parts = PARTS.map((key) => [key, fields.number(key)]);
  const tables = METADATA.map((key) => [key, metadata.number(key)]);
  return {
    ...(Object.fromEntries(parts) as Record<(typeof PARTS)[number], number>),
    metadata: Object.fromEntries(tables) as Record<(typeof METADATA)[number], number>,
  };
}

function layerIn(fields: Fields): EarlierLayer {
  return {
    name: fields.text('name'),
    format: fields.text('format'),
    virtualSize: fields.number('virtualSize'),
    fileSize: fields.number('fileSize'),
    modified: fields.optional('modified', (key) => fields.moment(key)),
    missing: fields.flag('missing'),
  };
}

function guestIn(fields: Fields): EarlierGuest {
  const table = fields.optional('table', (key) => fields.part(key));
  return {
    table: table && {
      partitions: table.list('partitions', (one) => ({ number: one.number('number') })),
    },
    inside: fields.entries('inside').map((entry) => {
      if (entry === 'unreadable') return entry;
      return isRecord(entry) ? fileSystemIn(new Fields(entry, 'facts.guest.inside.')) : undefined;
    }),
    whole: fields.optional('whole', (key) => fileSystemIn(fields.part(key))),
  };
}

function fileSystemIn(fields: Fields): EarlierFileSystem {
  return {
    kind: fields.text('kind'),
    label: fields.text('label'),
    uuid: fields.text('uuid'),
    size: fields.optional('size', (key) => fields.number(key)),
    used: fields.optional('used', (key) => fields.number(key)),
  };
}
