/**
 * The footer, which a fixed disk has at its end only, the others at the beginning, too.
 * Specification: «Hard Disk Footer Format».
 */
import type { Values } from '../../binary/struct.ts';
import { alignUp, SECTOR } from '../../binary/units.ts';
import type { Finding } from '../../operations/finding.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { imageFault } from '../fault.ts';
import type { SizeRule } from '../format.ts';
import { LARGEST_SECTORS, sectorsOf } from './geometry.ts';
import {
  AT,
  checksumOf,
  COOKIE,
  FOOTER,
  FOOTER_SIZE,
  fromLetters,
  hasCookie,
  lettersOf,
  MAX_SECTORS,
  TYPE_FIXED,
  uuidText,
} from './layout.ts';

export interface Footer extends Values<typeof FOOTER> {
  /** As they are in the file: what is not known here must survive. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where these bytes are in the file. */
  readonly at: number;
  readonly uuid: string;
}

/** A footer, and how the file is to be read with it. */
export interface FoundFooter {
  readonly footer: Footer;
  /** Without header and table: the file is the disk, and the footer behind it. */
  readonly headless: boolean;
  readonly findings: Finding[];
}

/** Where the last whole sector of a file begins. Old programs leave out the last byte. */
export function endFooterAt(fileSize: number): number {
  return alignUp(fileSize, SECTOR) - FOOTER_SIZE;
}

/** The footer, as qemu-img finds it. @throws ImageError invalid-image */
export async function findFooter(storage: Storage): Promise<FoundFooter> {
  const first = await candidate(storage, 0);
  if (first !== undefined) {
    if (!first.sound) return wrongChecksum();
    const last = await lastCandidate(storage);
    return { footer: first.footer, headless: false, findings: copyFindings(storage, last) };
  }
  if (storage.size === 0) {
    return imageFault('vpc', 'signature', { message: 'File too small for a VHD header' });
  }
  const last = await lastCandidate(storage);
  if (last?.footer.type !== TYPE_FIXED) {
    return imageFault('vpc', 'signature', { message: 'invalid VPC image' });
  }
  return last.sound ? { footer: last.footer, headless: true, findings: [] } : wrongChecksum();
}

/**
 * The footer wherever there is a good one; of two with wrong checksums the first.
 * @throws ImageError invalid-image
 */
export async function findAnyFooter(storage: Storage): Promise<FoundFooter> {
  const first = await candidate(storage, 0);
  if (first?.sound === true) return findFooter(storage);
  const last = await lastCandidate(storage);
  if (last === undefined || (first !== undefined && !last.sound)) {
    if (first === undefined) return findFooter(storage);
    const findings = [damagedChecksum(0), ...copyFindings(storage, last)];
    return { footer: first.footer, headless: false, findings };
  }
  const { footer, sound } = last;
  const headless = footer.type === TYPE_FIXED;
  const findings = sound ? [] : [damagedChecksum(footer.at)];
  // What a fixed disk begins with is the guest's, whatever it looks like.
  if (!headless) findings.push(damagedCopy(0));
  return { footer, headless, findings };
}

interface Candidate {
  readonly footer: Footer;
  /** Its checksum is right. */
  readonly sound: boolean;
}

/** A footer at that place of the file, where there is one; its checksum may be wrong. */
async function candidate(storage: Storage, at: number): Promise<Candidate | undefined> {
  const bytes = await readPadded(storage, at, FOOTER_SIZE);
  if (!hasCookie(bytes, COOKIE)) return undefined;
  const uuid = uuidText(bytes.subarray(AT.uuid, AT.uuid + 16));
  const footer = { ...FOOTER.read(bytes), bytes, at, uuid };
  return { footer, sound: checksumOf(bytes, AT.footerChecksum) === footer.checksum };
}

async function lastCandidate(storage: Storage): Promise<Candidate | undefined> {
  const at = endFooterAt(storage.size);
  return at < 0 ? undefined : candidate(storage, at);
}

function wrongChecksum(): never {
  const message = 'Incorrect header checksum';
  return imageFault('vpc', 'checksum', { field: 'checksum', message });
}

/** The first one was used: what the one at the end is worth. */
function copyFindings({ size }: Storage, last: Candidate | undefined): Finding[] {
  return last?.sound === true ? [] : [damagedCopy(Math.max(0, endFooterAt(size)))];
}

function damagedCopy(at: number): Finding {
  return notice('header-copy', at);
}

function damagedChecksum(at: number): Finding {
  return notice('header-checksum', at);
}

function notice(kind: Finding['kind'], offset: number): Finding {
  const host = { offset, length: FOOTER_SIZE };
  return { kind, severity: 'notice', host, values: { offset, message: '' }, repair: 'none' };
}

/** Programs that mean the size itself, and care for the geometry only as far as they must. */
const BY_CURRENT_SIZE = ['win ', 'qem2', 'd2v ', 'CTXS', 'tap\0'];

/** Both sizes of a disk, and the one that counts. Bytes, whole sectors. */
export interface Sizes {
  readonly size: number;
  readonly geometry: number;
  readonly current: number;
}

/**
 * The size of the disk. Virtual PC and some others go by the geometry, Hyper-V and others by the
 * size that the footer has; the name of the creator tells, and the largest geometry means the size.
 * @throws ImageError invalid-image
 */
export function sizesOf(footer: Footer, name: string, rule: SizeRule | undefined): Sizes {
  const bySize = sectorsOf(footer) === LARGEST_SECTORS || goesBySize(footer, rule);
  const current = Math.floor(footer.currentSize / SECTOR) * SECTOR;
  const geometry = sectorsOf(footer) * SECTOR;
  const size = bySize ? current : geometry;
  if (size / SECTOR > MAX_SECTORS) {
    const message = `Could not open '${name}': File too large`;
    const limit = MAX_SECTORS * SECTOR;
    imageFault('vpc', 'disk-size', { field: 'size', value: size, limit, message });
  }
  return { size, geometry, current };
}

function goesBySize(footer: Footer, rule: SizeRule | undefined): boolean {
  if (rule !== undefined) return rule === 'current';
  return BY_CURRENT_SIZE.some((creator) => fromLetters(creator) === footer.creatorApp);
}

/** What is to be said of two sizes, where the larger one does not count. */
export function sizeFindings(footer: Footer, { size, geometry, current }: Sizes): Finding[] {
  const isMarker = geometry === LARGEST_SECTORS * SECTOR;
  if (size === current && (isMarker || geometry <= current)) return [];
  if (size === geometry && current <= geometry) return [];
  return [
    {
      kind: 'size-contradiction',
      severity: 'notice',
      host: { offset: footer.at, length: FOOTER_SIZE },
      guest: { offset: size, length: Math.abs(current - geometry) },
      values: { geometry, current, size, message: '' },
      repair: 'none',
    },
  ];
}

/** The name of the program that created it. */
export function creatorOf(footer: Footer): string {
  return lettersOf(footer.creatorApp);
}
