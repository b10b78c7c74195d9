/** Compacting an image into a new file. Loaded when it is first asked for. */
import {
  compactQcow2,
  type Disk,
  ImageError,
  openImage,
  type Progress,
  Qcow2Image,
  throwIfCancelled,
  verifyCompacted,
} from '../engine/index.ts';
import type { CompactRequest, CompactResult } from './api.ts';
import { codecPool } from './codec-pool.ts';
import type { JobContext } from './job.ts';
import { StagedFiles } from './staging.ts';

/** What tables may add to the clusters of a file, bytes. */
const MORE = 2 ** 30;

/**
 * Writes the image anew, compares it with the source and puts it where it is wanted. The image
 * itself is only read.
 * @throws ImageError unsupported-feature, image-corrupt, image-damaged (before anything is written),
 * verify-failed, same-file, private-window, disk-full, cancelled
 */
export async function compact(
  request: CompactRequest,
  context: JobContext,
): Promise<CompactResult> {
  const started = performance.now();
  const { images, signal, progress } = context;
  const { image, snapshots, target, verify } = request;
  const source = qcow2Of(await images.disk(image));
  const sources = images.files(image);
  const before = source.storage.size;
  const expected = request.expected ?? before;
  const files = await StagedFiles.open({ target, sources, expected, most: before + MORE }, context);
  try {
    const { size } = await compactQcow2(source, files.main, { snapshots, signal, progress });
    throwIfCancelled(signal);
    await files.place();
    if (verify) await compare(source, files, request, context);
    await files.publish();
    const milliseconds = performance.now() - started;
    return { name: files.name, before, size, verified: verify, milliseconds };
  } catch (error) {
    context.leave(await files.discard());
    // Writing fails as it may when it is stopped: that is not the reason.
    throwIfCancelled(signal);
    throw error;
  }
}

/** Opens what was made as anybody would, with what unlocks the source. */
async function compare(
  source: Qcow2Image,
  files: StagedFiles,
  { snapshots }: CompactRequest,
  { signal, progress }: JobContext,
): Promise<void> {
  const [main] = (await files.readers()).values();
  if (main === undefined) throw new ImageError('internal', { reason: 'no file was made' });
  const made = qcow2Of(await openImage(main, { format: 'qcow2' }));
  if (source.cipher !== undefined) made.cipher = source.cipher;
  await verifyCompacted(source, made, {
    ...{ snapshots, signal, pool: codecPool() },
    progress: (step: Progress) => progress({ ...step, stage: 'verifying' }),
  });
}

function qcow2Of(disk: Disk): Qcow2Image {
  if (disk instanceof Qcow2Image) return disk;
  throw new ImageError('unsupported-feature', {
    feature: `compacting ${disk.format}`,
    message: `Only qcow2 images can be compacted, not ${disk.format}`,
  });
}
