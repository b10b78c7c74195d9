/** Errors of the operating system as C's strerror prints them: messages of qemu-img end so. */
import { ImageError } from '../../engine/index.ts';

const TEXTS: Readonly<Record<string, string>> = {
  EACCES: 'Permission denied',
  EBADF: 'Bad file descriptor',
  EBUSY: 'Device or resource busy',
  EDQUOT: 'Disk quota exceeded',
  EEXIST: 'File exists',
  EFBIG: 'File too large',
  EINVAL: 'Invalid argument',
  EIO: 'Input/output error',
  EISDIR: 'Is a directory',
  ELOOP: 'Too many levels of symbolic links',
  EMFILE: 'Too many open files',
  ENAMETOOLONG: 'File name too long',
  ENFILE: 'Too many open files in system',
  ENODEV: 'No such device',
  ENOENT: 'No such file or directory',
  ENOSPC: 'No space left on device',
  ENOTDIR: 'Not a directory',
  ENXIO: 'No such device or address',
  EPERM: 'Operation not permitted',
  EROFS: 'Read-only file system',
  ESTALE: 'Stale file handle',
  ETXTBSY: 'Text file busy',
};

function codeOf(error: unknown): string {
  if (!(error instanceof Error) || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

/** The system's text for an error of node:fs. */
export function errnoText(error: unknown): string {
  return TEXTS[codeOf(error)] ?? (error instanceof Error ? error.message : String(error));
}

/** Whether the medium has no room. */
function isFull(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** The ImageError for a file that cannot be opened. */
export function openFailure(name: string, error: unknown): ImageError {
  return new ImageError('open-failed', { name, reason: errnoText(error) }, { cause: error });
}

/** The ImageError for a failed read. */
export function readFailure(name: string, offset: number, length: number, error: unknown) {
  const reason = errnoText(error);
  return new ImageError('read-failed', { name, offset, length, reason }, { cause: error });
}

/** The ImageError for a failed write. */
export function writeFailure(name: string, offset: number, length: number, error: unknown) {
  if (isFull(error)) {
    return new ImageError('disk-full', { name, needed: offset + length }, { cause: error });
  }
  const reason = errnoText(error);
  return new ImageError('write-failed', { name, offset, length, reason }, { cause: error });
}
