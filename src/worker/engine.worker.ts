/** The thread in which the engine runs: exposes the EngineApi to the page. */
import { expose } from 'comlink';
import type { EngineApi } from './api.ts';
import { bitmapContents } from './bitmap.ts';
import { askList } from './checksum.ts';
import { storageFacts } from './facts.ts';
import { Images } from './images.ts';
import { Jobs } from './jobs.ts';
import { deleteResult, listResults, removeAbandoned, resultFile } from './private-files.ts';
import { carryErrors } from './wire.ts';

carryErrors();

const images = new Images();
const jobs = new Jobs(images);

const api: EngineApi = {
  facts: async () => ({ version: __APP_VERSION__, ...(await storageFacts()) }),
  open: (file, options) => images.open(file, options),
  attach: (image, key, file) => images.attach(image, key, file),
  attachAll: (image, files) => images.attachAll(image, files),
  detach: (image, key) => images.detach(image, key),
  unlock: (image, key, passphrase) => images.unlock(image, key, passphrase),
  bitmap: async (image, name) => bitmapContents(await images.disk(image), name),
  close: (image) => Promise.resolve(images.close(image)),
  askList: (question) => Promise.resolve(askList(question)),
  start: (request, events) => Promise.resolve(jobs.start(request, events)),
  cancel: (job) => Promise.resolve(jobs.cancel(job)),
  ping: () => Promise.resolve(),
  privateFiles: listResults,
  privateFile: resultFile,
  deletePrivateFile: deleteResult,
};

expose(api);

// Not urgent, and without private storage there is nothing to remove.
setTimeout(() => void removeAbandoned().catch(() => undefined), 2000);
