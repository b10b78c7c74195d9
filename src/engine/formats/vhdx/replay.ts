/** Whether the log has to be replayed, and doing it. [MS-VHDX] section 2.3.3. */
import { NULL_GUID } from '../../binary/guid.ts';
import { alignUp, MIB } from '../../binary/units.ts';
import { ImageError } from '../../errors.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { fault, INVALID } from './faults.ts';
import type { Header } from './headers.ts';
import { FIRST_MIB } from './layout.ts';
import { Log, LONGEST_LOG, type LogEntry } from './log.ts';

/** Zeros that a log may ask for, bytes: it is about tables, not about content. */
const MOST_ZEROS = 64 * MIB;
/** No file is that long: 64 TiB of blocks, and what they need. */
const LONGEST_FILE = 2 ** 47;
const ZEROS_AT_ONCE = MIB;

/** What has to be replayed. */
export interface PendingLog {
  readonly log: Log;
  readonly entries: readonly LogEntry[];
  /** Of the newest entry. */
  readonly sequenceNumber: bigint;
}

/** What is known of the log of an image. */
export interface LogFacts {
  readonly pending: PendingLog | undefined;
  /** It has entries, and none of its sequences is complete. */
  readonly isBroken: boolean;
  /** It has entries that were only written in part. */
  readonly isTorn: boolean;
}

const CLEAN: LogFacts = { pending: undefined, isBroken: false, isTorn: false };

/**
 * Reads the log, where there is one that counts.
 * @throws ImageError invalid-image, too-large and those of reading
 */
export async function readLog(storage: Storage, header: Header): Promise<LogFacts> {
  const { logOffset, logLength, logVersion } = header.fields;
  if (logOffset < FIRST_MIB || logOffset % FIRST_MIB !== 0) {
    fault('field', 'log offset', logOffset);
  }
  if (logVersion !== 0) fault('version', 'log version', logVersion);
  if (header.logGuid === NULL_GUID || logLength === 0) return CLEAN;
  if (logLength % FIRST_MIB !== 0) fault('field', 'log length', logLength);
  if (logLength > LONGEST_LOG) {
    const details = { what: 'log', value: String(logLength) };
    throw new ImageError('too-large', { ...details, limit: LONGEST_LOG });
  }
  // Nothing behind the end of the file is an entry.
  const there = Math.max(0, Math.min(logLength, storage.size - logOffset));
  if (there === 0) return CLEAN;
  const log = new Log(await readPadded(storage, logOffset, logLength), header.logGuid);
  const { active, hasEntries, isTorn } = log.examine();
  const head = active?.at(-1);
  if (active === undefined || head === undefined) return { ...CLEAN, isBroken: hasEntries, isTorn };
  const pending = { log, entries: active, sequenceNumber: head.fields.sequenceNumber };
  return { pending, isBroken: false, isTorn };
}

/**
 * Puts what the log has in its place. The headers stay as they are.
 * @throws ImageError invalid-image where the file was cut short or the log leads out of it, too-large
 */
export async function replayLog(storage: Storage, { log, entries }: PendingLog): Promise<void> {
  const head = entries.at(-1)?.fields;
  if (head === undefined) return;
  const { flushedFileOffset, lastFileOffset } = head;
  if (flushedFileOffset > storage.size) {
    fault('truncated', 'length of the file', storage.size, INVALID);
  }
  if (lastFileOffset > LONGEST_FILE) fault('table-place', 'log', lastFileOffset);
  let zeros = 0;
  for (const entry of entries) {
    for (const { offset, length, bytes } of log.writesOf(entry)) {
      if (offset + length > LONGEST_FILE) fault('table-place', 'log', offset);
      if (bytes !== undefined) {
        await storage.write(offset, bytes);
        continue;
      }
      zeros += length;
      if (zeros > MOST_ZEROS) {
        const details = { what: 'zeros in the log', value: String(zeros) };
        throw new ImageError('too-large', { ...details, limit: MOST_ZEROS });
      }
      await writeZeros(storage, offset, length);
    }
  }
  if (lastFileOffset > storage.size) await storage.resize(alignUp(lastFileOffset, MIB));
}

/** Writes zeros over what is there; behind the end of the file they come by themselves. */
export async function writeZeros(storage: Storage, offset: number, length: number): Promise<void> {
  const end = offset + length;
  const written = Math.min(end, storage.size);
  const zeros = new Uint8Array(Math.min(ZEROS_AT_ONCE, Math.max(0, written - offset)));
  for (let at = offset; at < written; at += ZEROS_AT_ONCE) {
    await storage.write(at, zeros.subarray(0, Math.min(ZEROS_AT_ONCE, written - at)));
  }
  if (end > storage.size) await storage.resize(end);
}
