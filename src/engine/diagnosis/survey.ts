/** Where the bytes of a file are and in which order, for any format. */
import { isImageError } from '../errors.ts';
import type { Disk } from '../formats/format.ts';
import { Qcow2Image } from '../formats/qcow2/image.ts';
import { surveyQcow2 } from '../formats/qcow2/survey.ts';
import type { Survey } from '../formats/survey.ts';
import type { RunOptions } from '../operations/operation.ts';
import { walkWith } from '../operations/picture.ts';
import { surveyMapped } from './survey-mapped.ts';

/**
 * Walks over the tables of an image once.
 * @param disk may be opened for checking: tables may be bad
 * @returns undefined where its tables are too damaged, too large or cannot be read
 * @throws ImageError cancelled
 */
export async function surveyDisk(
  disk: Disk,
  options: RunOptions = {},
): Promise<Survey | undefined> {
  const walk = walkWith(options);
  try {
    if (disk instanceof Qcow2Image) return await surveyQcow2(disk, walk);
    return await surveyMapped(disk, walk);
  } catch (error) {
    if (!isImageError(error) || error.code === 'cancelled') throw error;
    return undefined;
  }
}
