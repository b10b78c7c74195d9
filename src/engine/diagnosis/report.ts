/**
 * A diagnosis to be kept beside the image: with the date, and digests that say of which state of the
 * file it is. Plain data: its JSON is what `diagnose --output=json` prints and what the app saves,
 * both with the words of each finding besides.
 */
import { isImageError } from '../errors.ts';
import type { HasherFactory } from '../codecs/hash.ts';
import { checksumFile } from '../operations/checksum.ts';
import type { RunOptions } from '../operations/operation.ts';
import type { Diagnosed } from './diagnose.ts';
import type { Area, Diagnosis, DiagnosisVerdict, Grade } from './diagnosis.ts';
import { fingerprintOf } from './guard.ts';
import type { SpaceAccount } from '../formats/survey.ts';

/** SHA-256 in lower-case hexadecimal. Undefined: not computed. */
export interface DiagnosisHashes {
  /** Of the header and the tables: the same as long as nothing is written. */
  metadata: string | undefined;
  /** Of the whole file. */
  file: string | undefined;
}

export interface DiagnosisReport extends Diagnosis {
  /** When it was made, ISO 8601 in UTC. */
  date: string;
  hashes: DiagnosisHashes;
}

export interface ReportOptions extends RunOptions {
  /** Digests the whole file, too: reads all of it. */
  wholeFile?: boolean | undefined;
  /** A faster way to digest than the engine's own, where the platform has one. */
  hasher?: HasherFactory | undefined;
}

/**
 * Makes a report of a diagnosis.
 * @throws ImageError cancelled, and those of reading the whole file where that was asked for
 */
export async function reportOf(
  { checked, readable }: Diagnosed,
  diagnosis: Diagnosis,
  options: ReportOptions = {},
): Promise<DiagnosisReport> {
  const { now } = diagnosis.facts;
  const metadata = await metadataOf(readable ?? checked, now, options);
  const file =
    options.wholeFile === true ? (await checksumFile(checked.storage, options)).digest : undefined;
  return { ...diagnosis, date: new Date(now).toISOString(), hashes: { metadata, file } };
}

async function metadataOf(
  disk: Diagnosed['checked'],
  now: number,
  options: ReportOptions,
): Promise<string | undefined> {
  try {
    const { signal, hasher } = options;
    const { metadata } = await fingerprintOf(disk, now, { signal, hasher });
    return metadata === '' ? undefined : metadata;
  } catch (error) {
    // Tables that cannot be read have no digest; the findings say what is wrong with them.
    if (!isImageError(error) || error.code === 'cancelled') throw error;
    return undefined;
  }
}

/**
 * What a comparison needs of an earlier diagnosis: any {@link Diagnosis} has it, and
 * `parseDiagnosis` takes no more than that out of a file.
 */
export interface EarlierDiagnosis {
  readonly verdict: DiagnosisVerdict;
  readonly findings: readonly EarlierFinding[];
  readonly facts: EarlierFacts;
  readonly hashes?: DiagnosisHashes | undefined;
}

export interface EarlierFinding {
  /** Another version of this program may have had others. */
  readonly code: string;
  readonly area: Area;
  readonly grade: Grade;
  /** Those of a file may lack what the code should have. */
  readonly values: object;
  /** The words of a file, in the language it was written in. */
  readonly title?: string | undefined;
}

export interface EarlierFacts {
  readonly now: number;
  readonly info: {
    readonly name: string;
    readonly format: string;
    readonly virtualSize: number;
    readonly fileSize: number;
    readonly clusterSize: number | undefined;
    readonly snapshots: readonly EarlierSnapshot[];
    readonly description?:
      | { readonly facts: readonly { readonly key: string; readonly value: string | number }[] }
      | undefined;
  };
  readonly survey: { readonly space: SpaceAccount } | undefined;
  readonly chain: readonly EarlierLayer[];
  readonly guest: EarlierGuest | undefined;
}

export interface EarlierSnapshot {
  readonly id: string;
  readonly name: string;
  readonly dateSeconds: number;
}

export interface EarlierLayer {
  readonly name: string;
  readonly format: string;
  readonly virtualSize: number;
  readonly fileSize: number;
  readonly modified: number | undefined;
  readonly missing: boolean;
}

export interface EarlierGuest {
  readonly table: { readonly partitions: readonly { readonly number: number }[] } | undefined;
  /** Of each partition of the table. */
  readonly inside: readonly (EarlierFileSystem | 'unreadable' | undefined)[];
  readonly whole: EarlierFileSystem | undefined;
}

export interface EarlierFileSystem {
  readonly kind: string;
  readonly label: string;
  readonly uuid: string;
  readonly size: number | undefined;
  readonly used: number | undefined;
}
