/** The thread in which the engine runs: exposes the EngineApi to the page. */
import { expose } from 'comlink';
import type { EngineApi, RecoveredChange } from './api.ts';
import { bitmapContents } from './bitmap.ts';
import type { Changes } from './changes.ts';
import { askList } from './checksum.ts';
import { removeStaleProbes, storageFacts } from './facts.ts';
import { Images } from './images.ts';
import { Jobs } from './jobs.ts';
import {
  deleteResult,
  hasJournals,
  listResults,
  removeAbandoned,
  resultFile,
} from './private-files.ts';
import type { Views } from './views.ts';
import { carryErrors } from './wire.ts';
import { leaveChoice } from './wrapped.ts';

carryErrors();

const images = new Images();
const jobs = new Jobs(images);

/** Before anybody reads a file that a dead worker was in the middle of changing. */
const recovered = recoverChanges().catch(() => []);

async function recoverChanges(): Promise<RecoveredChange[]> {
  if (!(await hasJournals())) return [];
  const { recoverPrivate } = await import('./changing.ts');
  return recoverPrivate();
}

async function changes(): Promise<Changes> {
  const { changesOf } = await import('./changing.ts');
  return changesOf(images);
}

/** What shows the inside of images is loaded when somebody looks. */
async function views(): Promise<Views> {
  const { viewsOf } = await import('./views.ts');
  return viewsOf(images);
}

const api: EngineApi = {
  facts: async () => ({ version: __APP_VERSION__, ...(await storageFacts()) }),
  open: (file, options) => images.open(file, options),
  attach: (image, key, file) => images.attach(image, key, file),
  attachAll: (image, files) => images.attachAll(image, files),
  detach: (image, key) => images.detach(image, key),
  unlock: (image, key, passphrase) => images.unlock(image, key, passphrase),
  bitmap: async (image, name) => bitmapContents(await images.disk(image), name),
  undoEdit: async (image) => (await changes()).undo(image, 1),
  clearEdits: async (image) => (await changes()).undo(image, Infinity),
  redoEdit: async (image) => (await changes()).redo(image),
  place: async (image, space, offset) => (await views()).place(image, space, offset),
  runs: async (image, space, offset, most) => (await views()).runs(image, space, offset, most),
  nodes: async (image, id, from, most) => (await views()).nodes(image, id, from, most),
  nodesAt: async (image, offset) => (await views()).nodesAt(image, offset),
  nodesTo: async (image, id) => (await views()).nodesTo(image, id),
  bytes: async (image, space, offset, length) =>
    (await views()).bytes(image, space, offset, length),
  recoveredChanges: () => recovered,
  close: async (image) => {
    const hadChanges = images.keepsChanges(image);
    if (hadChanges) await (await changes()).close(image);
    await images.close(image);
  },
  leaveChoice,
  askList: (question) => Promise.resolve(askList(question)),
  start: (request, events) => Promise.resolve(jobs.start(request, events)),
  cancel: (job) => Promise.resolve(jobs.cancel(job)),
  pause: (job) => Promise.resolve(jobs.pause(job)),
  resume: (job) => Promise.resolve(jobs.resume(job)),
  ping: () => Promise.resolve(),
  privateFiles: async () => {
    await recovered;
    return listResults();
  },
  privateFile: async (name) => {
    await recovered;
    return resultFile(name);
  },
  deletePrivateFile: deleteResult,
};

expose(api);

// Not urgent, and without private storage there is nothing to remove.
setTimeout(() => {
  void removeAbandoned().catch(() => undefined);
  void removeStaleProbes().catch(() => undefined);
}, 2000);
