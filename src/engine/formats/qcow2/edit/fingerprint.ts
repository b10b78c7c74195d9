/** Keeping in an image's header what its backing file was like, and no longer keeping it. */
import { fingerprintData, type BaseFingerprint } from '../fingerprint.ts';
import { FINGERPRINT_TYPE } from '../layout.ts';
import { serializeHeader, type HeaderContent } from './header-writer.ts';

/** What is changed: {@link Qcow2Writer} is one. Its `flush` writes it. */
export interface HeaderEditor {
  readonly header: HeaderContent;
}

/**
 * Keeps a fingerprint in place of one that is kept already. The writer is to be flushed.
 * @throws ImageError header-full, and nothing is changed then
 */
export function keepFingerprint(writer: HeaderEditor, fingerprint: BaseFingerprint): void {
  const { header } = writer;
  const data = fingerprintData({ ...fingerprint, backingName: header.backingName });
  const unknownExtensions = [...others(header), { type: FINGERPRINT_TYPE, data }];
  // Throws before the header is another one.
  serializeHeader({ ...header, unknownExtensions });
  header.unknownExtensions = unknownExtensions;
}

/** Returns whether there was one. The writer is to be flushed. */
export function dropFingerprint({ header }: HeaderEditor): boolean {
  const rest = others(header);
  const was = rest.length < header.unknownExtensions.length;
  header.unknownExtensions = rest;
  return was;
}

function others({ unknownExtensions }: HeaderContent) {
  return unknownExtensions.filter(({ type }) => type !== FINGERPRINT_TYPE);
}
