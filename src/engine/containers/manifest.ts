/** The list of digests in an appliance (`.mf`), and whether its files are still those. */
import { createHasher, type Hasher, type HasherFactory } from '../codecs/hash.ts';
import { startSha1 } from '../codecs/sha1.ts';
import { throwIfCancelled } from '../errors.ts';
import { readPadded } from '../storage/storage.ts';
import { baseName, type Container, type Scratch } from './container.ts';

/** Bytes of a list at most. */
export const LARGEST_MANIFEST = 1024 * 1024;
const MOST_LINES = 4096;
const PIECE = 4 * 1024 * 1024;

export type ManifestHash = 'sha1' | 'sha256' | 'sha512';

/** A line of the list. */
export interface ManifestLine {
  readonly file: string;
  readonly algorithm: ManifestHash;
  /** In lower-case hexadecimal. */
  readonly digest: string;
}

/** What became of a file of the list. */
export interface ManifestVerdict {
  readonly file: string;
  readonly algorithm: ManifestHash;
  readonly state: 'ok' | 'mismatch' | 'missing';
}

const HEX_LENGTH: Record<ManifestHash, number> = { sha1: 40, sha256: 64, sha512: 128 };

/** Lines as `SHA256(disk.vmdk)= 0123…`; whatever else there is, is passed over. */
export function parseManifest(text: string): ManifestLine[] {
  const lines: ManifestLine[] = [];
  for (const line of text.split(/\r?\n/)) {
    const match = /^\s*SHA-?(1|256|512)\s*\((.*)\)\s*=\s*([\da-f]+)\s*$/i.exec(line);
    if (match === null) continue;
    const [, bits = '', file = '', digest = ''] = match;
    const algorithm = `sha${bits}` as ManifestHash;
    if (digest.length !== HEX_LENGTH[algorithm] || lines.length >= MOST_LINES) continue;
    lines.push({ file, algorithm, digest: digest.toLowerCase() });
  }
  return lines;
}

/**
 * Compares the files of a container with a list.
 * @param hasher a faster way to digest, where there is one
 * @throws ImageError cancelled, and those of reading and unpacking
 */
export async function verifyManifest(
  container: Container,
  lines: readonly ManifestLine[],
  scratch: Scratch,
  hasher: HasherFactory = createHasher,
): Promise<ManifestVerdict[]> {
  const { signal, progress } = scratch.watch ?? {};
  const found = lines.map((line) => {
    const entry =
      container.entries.find(({ name }) => name === line.file) ??
      container.entries.find(({ name }) => baseName(name) === line.file);
    return { line, entry };
  });
  const total = found.reduce((sum, { entry }) => sum + (entry?.size ?? 0), 0);
  let done = 0;
  const verdicts: ManifestVerdict[] = [];
  for (const { line, entry } of found) {
    const { file, algorithm } = line;
    if (entry === undefined || entry.refusal !== undefined) {
      verdicts.push({ file, algorithm, state: 'missing' });
      continue;
    }
    const storage = await container.open(entry, scratch);
    const digest = algorithm === 'sha1' ? startSha1() : hasher(algorithm);
    for (let at = 0; at < storage.size; at += PIECE) {
      throwIfCancelled(signal);
      progress?.({ stage: 'verifying', done, total });
      const bytes = await readPadded(storage, at, Math.min(PIECE, storage.size - at));
      digest.update(bytes);
      done += bytes.length;
    }
    await storage.close();
    const state = hex(digest) === line.digest ? 'ok' : 'mismatch';
    verdicts.push({ file, algorithm, state });
  }
  progress?.({ stage: 'verifying', done, total });
  return verdicts;
}

function hex(hasher: Hasher): string {
  return Array.from(hasher.digest(), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
