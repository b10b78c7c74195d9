import { ImageError, isImageError } from '../errors.ts';

/** What the browser's exceptions mean. Only names are looked at: messages differ and change. */

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : '';
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/** The ImageError for a failed read of `length` bytes at `offset`. */
export function readFailure(
  name: string,
  offset: number,
  length: number,
  error: unknown,
): ImageError {
  if (isImageError(error)) return error;
  const options = { cause: error };
  switch (nameOf(error)) {
    case 'NotFoundError':
      return new ImageError('file-gone', { name }, options);
    // A File remembers size and time of the moment it was made; Chromium refuses to read on
    // when they no longer fit.
    case 'NotReadableError':
      return new ImageError('file-changed', { name }, options);
    case 'NotAllowedError':
    case 'SecurityError':
      return new ImageError('permission-lost', { name }, options);
    default:
      return new ImageError(
        'read-failed',
        { name, offset, length, reason: reasonOf(error) },
        options,
      );
  }
}

/** The ImageError for a failed write of `length` bytes at `offset`. */
export function writeFailure(
  name: string,
  offset: number,
  length: number,
  error: unknown,
): ImageError {
  if (isImageError(error)) return error;
  const options = { cause: error };
  switch (nameOf(error)) {
    case 'QuotaExceededError':
      return new ImageError('disk-full', { name, needed: offset + length }, options);
    case 'NotFoundError':
      return new ImageError('file-gone', { name }, options);
    case 'NotAllowedError':
    case 'SecurityError':
      return new ImageError('permission-lost', { name }, options);
    default:
      return new ImageError(
        'write-failed',
        { name, offset, length, reason: reasonOf(error) },
        options,
      );
  }
}

/** How many of `length` bytes at `offset` there are in a storage of `size` bytes. */
export function available(size: number, offset: number, length: number): number {
  return Math.max(0, Math.min(length, size - offset));
}

/** Throws `read-only`. For storages that cannot be written. */
export function refuseWrite(name: string): Promise<never> {
  return Promise.reject(new ImageError('read-only', { name }));
}
