import type { ErrorCode, ErrorDetails, ImageError } from '../engine/errors.ts';
import type { ErrorSentence, ErrorSentences } from './text/en-errors.ts';

/** An error as data: what is shown and copied, long after it was thrown. */
export interface Problem {
  code: ErrorCode;
  details: ErrorDetails[ErrorCode];
  stack: string;
}

/** Whatever was thrown, as a problem. The worker's errors carry a code, the browser's do not. */
export function toProblem(error: unknown, name = ''): Problem {
  if (isImageError(error)) {
    return { code: error.code, details: error.details, stack: error.stack ?? '' };
  }
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  if (error instanceof DOMException) {
    if (error.name === 'NotFoundError') return { code: 'file-gone', details: { name }, stack };
    if (error.name === 'NotAllowedError') {
      return { code: 'permission-lost', details: { name }, stack };
    }
  }
  return { code: 'internal', details: { reason: String(error) }, stack };
}

/** Told by its shape: the class itself is in the engine, which the page does not load. */
function isImageError(error: unknown): error is ImageError {
  return error instanceof Error && error.name === 'ImageError' && 'code' in error;
}

/** The sentences for a problem. */
export function explain(problem: Problem, sentences: ErrorSentences): ErrorSentence {
  // The compiler cannot follow that the details belong to the code; whoever threw it saw to that.
  const sentence = sentences[problem.code] as (details: Problem['details']) => ErrorSentence;
  return sentence(problem.details);
}

/** The technical part, for a report: no file names beyond those that the details hold. */
export function technical(problem: Problem): string {
  return [
    `qcow2 workbench ${__APP_VERSION__}`,
    navigator.userAgent,
    `${problem.code} ${JSON.stringify(problem.details)}`,
    problem.stack,
  ].join('\n');
}
