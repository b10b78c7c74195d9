import {
  BlobStorage,
  checksumDisk,
  checksumFile,
  expectationOf,
  judgeChecksum,
  parseChecksumList,
} from '../engine/index.ts';
import type { ChecksumRequest, ChecksumResult, ListAnswer, ListQuestion } from './api.ts';
import { codecPool } from './codec-pool.ts';
import type { JobContext } from './job.ts';

/** The digest of an image's file, or of what its guest reads. */
export async function checksum(
  request: ChecksumRequest,
  context: JobContext,
): Promise<ChecksumResult> {
  const started = performance.now();
  const { image, of, algorithm } = request;
  const { images, signal, progress } = context;
  const options = { algorithm, signal, progress };
  // The first file is the image itself; what else it consists of has digests of its own.
  const [file] = images.files(image);
  const report =
    of === 'file' && file !== undefined
      ? await checksumFile(new BlobStorage(file), options)
      : await checksumDisk(await images.disk(image), { ...options, pool: codecPool() });
  return { ...report, milliseconds: performance.now() - started };
}

/** What published checksums say of a file, and what its digests are to them. */
export function askList({ text, name, digests }: ListQuestion): ListAnswer {
  const list = parseChecksumList(text);
  const expectation = expectationOf(list, name);
  if (!('algorithm' in expectation)) return { expectation, verdict: undefined };
  const { algorithm } = expectation;
  const digest = digests[algorithm];
  const verdict =
    digest === undefined ? undefined : judgeChecksum(list, name, { algorithm, digest });
  return { expectation, verdict };
}
