import { afterAll, beforeAll } from 'vitest';
import { RemoteOpfs, Scratch, startOpfsHost } from './browser-files.ts';
import {
  describeReading,
  describeReadOnly,
  describeWriting,
  pattern,
  type Subject,
} from './conformance.ts';
import { describe, expect, it } from 'vitest';
import { isImageError } from '../../src/engine/errors.ts';

const scratch = new Scratch('opfs');
const { worker, host } = startOpfsHost();
beforeAll(() => scratch.clear());
afterAll(async () => {
  worker.terminate();
  await scratch.clear();
});

const subject: Subject = {
  name: 'private storage',
  make: async (content) => RemoteOpfs.open(host, await scratch.file(new Uint8Array(content))),
  runs: 30,
};
describeReading(subject);
describeWriting(subject);
describeReadOnly({
  ...subject,
  name: 'private storage, read only',
  make: async (content) =>
    RemoteOpfs.open(host, await scratch.file(new Uint8Array(content)), false),
});

describe('private storage', () => {
  it('locks the file while it is open', async () => {
    const file = await scratch.file(pattern(10));
    const storage = await RemoteOpfs.open(host, file);
    const error: unknown = await RemoteOpfs.open(host, file).catch((reason: unknown) => reason);
    expect(isImageError(error, 'open-failed') && error.details).toEqual({
      name: file.name,
      reason: 'Resource busy',
    });
    await storage.close();
    await (await RemoteOpfs.open(host, file)).close();
  });
});
