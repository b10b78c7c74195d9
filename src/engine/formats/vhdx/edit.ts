/** Opening a VHDX for writing into it, and its repair. */
import { ImageError } from '../../errors.ts';
import type { Disk, DiskWriter, DriverRepair } from '../format.ts';
import { otherTableAt } from './findings.ts';
import { firstFault, VhdxImage, type Parts } from './image.ts';
import { LOG_SECTOR } from './layout.ts';
import { LogWriter } from './log-writer.ts';
import { replayLog } from './replay.ts';
import { HeaderSession } from './session.ts';
import { VhdxWriter } from './writer.ts';

/**
 * A writer into an image; what its log has is put in its place first.
 * @throws ImageError unsupported-feature (images with a parent), image-damaged and those of writing
 */
export async function editVhdx(disk: Disk): Promise<DiskWriter> {
  const { parts, storage } = asVhdx(disk);
  const { metadata, layout, headers, log } = parts;
  if (metadata.parent !== undefined) {
    throw new ImageError('unsupported-feature', { feature: 'writing to differencing vhdx images' });
  }
  const isDamaged = layout.offset % LOG_SECTOR !== 0 || (await firstFault(parts)) !== undefined;
  if (isDamaged) throw new ImageError('image-damaged', { name: storage.name, corruptions: 1 });
  const session = new HeaderSession(storage, headers);
  if (log.pending !== undefined) {
    await replayLog(storage, log.pending);
    session.noteEmptyLog();
  }
  const { logOffset: offset, logLength: length } = headers.current.fields;
  return new VhdxWriter({
    ...{ storage, layout, session, blockSize: metadata.blockSize },
    log: new LogWriter(storage, { offset, length }, log.pending?.sequenceNumber),
  });
}

/**
 * Replays the log, as QEMU does when it opens an image for writing; in an image that was opened
 * leniently, damaged copies of headers and of the region table are made anew.
 */
export async function repairVhdx(disk: Disk): Promise<DriverRepair> {
  const { parts, storage } = asVhdx(disk);
  const { headers, log, lenient } = parts;
  const session = new HeaderSession(storage, headers);
  let corruptionsFixed = 0;
  if (log.pending !== undefined) {
    await replayLog(storage, log.pending);
    session.noteEmptyLog();
    corruptionsFixed++;
  }
  if (lenient) corruptionsFixed += await repairCopies(parts, disk, session);
  await session.flush();
  return { leaksFixed: 0, corruptionsFixed };
}

async function repairCopies(
  { headers, regions }: Parts,
  { storage }: Disk,
  session: HeaderSession,
): Promise<number> {
  let repaired = 0;
  if (!headers.isOtherSound) {
    session.noteRepair();
    repaired++;
  }
  if (regions.other === 'damaged') {
    await storage.write(otherTableAt(regions), regions.bytes);
    repaired++;
  }
  return repaired;
}

function asVhdx(disk: Disk): VhdxImage {
  if (disk instanceof VhdxImage) return disk;
  throw new ImageError('internal', { reason: 'not a VHDX' });
}
