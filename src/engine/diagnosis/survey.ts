/** Where the bytes of a file are and in which order, for any format. */
import type { Disk } from '../formats/format.ts';
import type { Survey } from '../formats/survey.ts';
import type { RunOptions } from '../operations/operation.ts';

/**
 * Walks over the tables of an image once.
 * @param disk may be opened for checking: tables may be bad
 * @returns undefined where its tables are too damaged
 * @throws ImageError cancelled, too-large and those of reading
 */
export function surveyDisk(_disk: Disk, _options: RunOptions = {}): Promise<Survey | undefined> {
  return Promise.resolve(undefined);
}
