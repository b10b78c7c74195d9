import { probeForeignFormat } from '../command/foreign-formats.ts';
import { BlobStorage, type ForeignContent, isImageError, openImage } from '../engine/index.ts';

/** What the content of a file looks like, whatever it is called and whoever names it. */
export type ContentFormat =
  /** A format by qemu-img's name; `raw` is what is left when it looks like nothing else. */
  | { format: string; looksLike: undefined }
  /** No disk image by the look of it. */
  | { format: 'raw'; looksLike: ForeignContent };

/** Looks at the beginning of a file. @throws those of reading */
export async function contentFormat(file: File): Promise<ContentFormat> {
  const storage = new BlobStorage(file);
  const foreign = await probeForeignFormat(storage);
  if (foreign !== undefined) return { format: foreign, looksLike: undefined };
  try {
    const { format } = await openImage(storage, { mode: 'info', strict: true, looksAtEnd: true });
    return { format, looksLike: undefined };
  } catch (error) {
    if (isImageError(error, 'not-a-disk-image')) {
      return { format: 'raw', looksLike: error.details.looksLike };
    }
    if (isImageError(error, 'invalid-image')) {
      return { format: error.details.format, looksLike: undefined };
    }
    // What has a header that is not valid has a header.
    const hasHeader = (['invalid-header', 'unknown-features', 'unsupported-feature'] as const).some(
      (code) => isImageError(error, code),
    );
    if (hasHeader) return { format: 'qcow2', looksLike: undefined };
    throw error;
  }
}
