/**
 * Errors on their way between the threads. Comlink alone would keep only name, message and stack:
 * code and details would be lost, and with them every sentence that is made of them.
 */
import { transferHandlers, type TransferHandler } from 'comlink';
import { type ErrorCode, type ErrorDetails, ImageError, isImageError } from '../engine/errors.ts';
import type { WireError } from './api.ts';

/** Any error as plain data. What is no ImageError is a defect and becomes `internal`. */
export function toWire(error: unknown): WireError {
  if (isImageError(error)) {
    const details: Record<string, unknown> = { ...error.details };
    return { code: error.code, details, stack: error.stack ?? '' };
  }
  if (error instanceof Error) {
    const reason = `${error.name}: ${error.message}`;
    return { code: 'internal', details: { reason }, stack: error.stack ?? '' };
  }
  return { code: 'internal', details: { reason: String(error) }, stack: '' };
}

/** The error as it was thrown on the other side, with that side's stack. */
export function fromWire(wire: WireError): ImageError {
  // Written by toWire, where the compiler has seen that code and details belong together.
  const details = wire.details as unknown as ErrorDetails[ErrorCode];
  const error = new ImageError(wire.code, details);
  if (wire.stack !== '') error.stack = wire.stack;
  return error;
}

interface Thrown {
  value: unknown;
}

/**
 * Replaces comlink's way of carrying what is thrown. Called once on either side, before the first
 * call.
 */
export function carryErrors(): void {
  const theirs = transferHandlers.get('throw');
  if (theirs === undefined) throw new ImageError('internal', { reason: 'comlink has no handler' });
  const ours: TransferHandler<Thrown, WireError> = {
    // The mark by which comlink knows a thrown value is its own secret.
    canHandle: (value): value is Thrown => theirs.canHandle(value),
    serialize: ({ value }) => [toWire(value), []],
    deserialize: (wire) => {
      throw fromWire(wire);
    },
  };
  transferHandlers.set('throw', ours);
}
