/** What an edit would do, as far as there is something to say. Nothing is changed. */
import {
  compareRanges,
  OverlayStorage,
  planCommit,
  planDeletion,
  planRebase,
  planRepair,
  planResize,
  type Storage,
} from '../engine/index.ts';
import type { Edit, Foresight, ImageId } from './api.ts';
import { codecPool } from './codec-pool.ts';
import { empty, mediaOf, openCommit, openRebase } from './edits-below.ts';
import { type EditPlace, findSnapshot, openAlone, openQcow2 } from './edit-place.ts';
import { repairOptions } from './edits.ts';
import type { JobContext } from './job.ts';
import { openScratch } from './private-files.ts';
import { sameMedia } from './same-media.ts';

const NOTHING: Foresight = {
  ...{ repair: undefined, freed: undefined, resize: undefined },
  ...{ takes: undefined, different: undefined },
};

/**
 * Looks at what an edit would do to the content of `storage`.
 * @throws ImageError what the edit itself would be refused for at once
 */
export async function foresee(
  image: ImageId,
  storage: Storage,
  edit: Edit,
  context: JobContext,
): Promise<Foresight> {
  // Opening writes nothing; should it ever, then not into what is there.
  const overlay = new OverlayStorage(storage, { scratch: openScratch });
  try {
    return { ...NOTHING, ...(await look({ image, overlay, context }, storage, edit)) };
  } finally {
    await overlay.close();
  }
}

async function look(place: EditPlace, storage: Storage, edit: Edit): Promise<Partial<Foresight>> {
  const { image, context } = place;
  const { images, signal, progress } = context;
  switch (edit.kind) {
    case 'repair':
      return { repair: await planRepair(storage, edit.choice, repairOptions(context)) };
    case 'delete-snapshot': {
      const disk = await openQcow2(place);
      const { freed } = await planDeletion(disk, findSnapshot(disk, edit.snapshot), signal);
      return { freed };
    }
    case 'resize':
      return { resize: await planResize(await images.openWith(image, storage, 'read'), edit.size) };
    case 'rebase': {
      const { disk, next } = await openRebase(place, edit.to);
      const sameMedium = mediaOf(disk, next);
      const takes = await planRebase(disk, next, { signal, progress, sameMedium });
      return { takes: { ...takes, exact: false } };
    }
    case 'commit': {
      const { disk, base, depth } = await openCommit(place, edit.from);
      const takes = await planCommit(disk, depth, { signal, progress });
      const resize = base.size < disk.size ? await planResize(base, disk.size) : undefined;
      return { takes: { ...takes, exact: true }, resize };
    }
    case 'empty':
      return lookAtEmptying(place, storage);
    default:
      return {};
  }
}

/** It is made, on an overlay that is dropped, and compared with what is there. */
async function lookAtEmptying(place: EditPlace, storage: Storage): Promise<Partial<Foresight>> {
  const { image, context } = place;
  const { images, signal, progress } = context;
  const { freed } = await empty(place);
  const before = await images.openWith(image, storage, 'read');
  if (before.backing === undefined) return { freed };
  const after = await openAlone(place);
  const { different } = await compareRanges(before, after, {
    ...{ signal, progress, most: 0, pool: codecPool() },
    sameMedium: sameMedia(before, after),
  });
  return { freed, different };
}
