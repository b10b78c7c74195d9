/** What `convert --salvage` says of everything that it could not read. */
import { Salvage } from '../engine/index.ts';
import type { Loss } from '../engine/operations/salvage.ts';
import type { Disk } from '../engine/formats/format.ts';
import { report, type Context } from './context.ts';
import { corruptionAt, printCorruption } from './corruption.ts';

/** A source and what was lost of it. */
export interface SalvagedSource {
  readonly disk: Disk;
  readonly salvage: Salvage;
}

/** Collects what is lost of several sources. */
export class Salvages {
  readonly sources: SalvagedSource[] = [];
  /** Takes a loss; undefined where losses are not taken. */
  readonly taker: ((disk: Disk, loss: Loss) => void) | undefined;

  constructor(isWanted: boolean) {
    this.taker = isWanted
      ? (disk, loss) => {
          this.#of(disk).add(loss);
        }
      : undefined;
  }

  #of(disk: Disk): Salvage {
    const found = this.sources.find((source) => source.disk === disk);
    if (found !== undefined) return found.salvage;
    const salvage = new Salvage();
    this.sources.push({ disk, salvage });
    return salvage;
  }
}

/** The real program warns of each of these. Bytes. */
const SECTOR = 512;
/** It would print millions of lines for one lost table; nobody reads more than this. */
const MOST_LINES = 16_384;
/** Damaged tables are looked at until each image of a chain has been heard; no further than this. */
const MOST_LOOKS = 256;
/** Lines that are worth a call. */
const LINES_AT_ONCE = 512;

/**
 * Prints the real program's warnings, a line or two for each lost sector. It asks first where
 * everything is, of all sources, and then again while it copies.
 */
export async function reportLosses(
  context: Context,
  sources: readonly SalvagedSource[],
  quiet: boolean,
): Promise<void> {
  const warnings = new Warnings(context);
  const reports = sources.map(({ salvage }) => salvage.report());
  for (const [index, { disk }] of sources.entries()) {
    const tables = reports[index]?.losses.filter(({ cause }) => cause === 'tables') ?? [];
    warnings.flush();
    await reportTables(context, disk, tables);
    if (quiet) continue;
    for (const sector of sectorsOf(tables)) {
      if (!warnings.add(statusWarning(sector))) break;
    }
  }
  if (quiet) return;
  for (const { losses } of reports) {
    for (const sector of sectorsOf(losses)) {
      if (sector.loss.cause === 'tables') warnings.add(statusWarning(sector));
      const text = `error while reading offset ${sector.offset}: ${messageOf(sector.loss)}`;
      if (!warnings.add(text)) break;
    }
  }
  const bytes = reports.reduce((sum, one) => sum + one.bytes, 0);
  warnings.end(
    bytes,
    reports.some(({ truncated }) => truncated),
  );
}

interface Sector {
  offset: number;
  loss: Loss;
}

function* sectorsOf(losses: readonly Loss[]): Generator<Sector> {
  for (const loss of losses) {
    for (let at = 0; at < loss.length; at += SECTOR) yield { offset: loss.offset + at, loss };
  }
}

function statusWarning({ offset, loss }: Sector): string {
  return `error while reading block status at offset ${offset}: ${messageOf(loss)}`;
}

function messageOf({ message }: Loss): string {
  return message === '' ? 'Input/output error' : message;
}

/** Each image of a chain says once that it is damaged. */
async function reportTables(context: Context, disk: Disk, losses: readonly Loss[]): Promise<void> {
  const heard = new Set<Disk>();
  for (const { offset } of losses.slice(0, MOST_LOOKS)) {
    const found = await corruptionAt(disk, offset);
    if (found === undefined || heard.has(found.disk)) continue;
    heard.add(found.disk);
    printCorruption(context, found.text);
  }
}

class Warnings {
  readonly #context: Context;
  #lines: string[] = [];
  #count = 0;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Returns whether there is room for more. */
  add(text: string): boolean {
    this.#count++;
    if (this.#count > MOST_LINES) return false;
    this.#lines.push(`warning: ${text}`);
    if (this.#lines.length >= LINES_AT_ONCE) this.flush();
    return true;
  }

  flush(): void {
    if (this.#lines.length > 0) report(this.#context, this.#lines.join('\nqemu-img: '));
    this.#lines = [];
  }

  /** @param bytes that were lost in all */
  end(bytes: number, truncated: boolean): void {
    this.flush();
    if (this.#count <= MOST_LINES && !truncated) return;
    report(
      this.#context,
      `warning: ... in all, ${bytes} bytes could not be read and are zeros now`,
    );
  }
}
