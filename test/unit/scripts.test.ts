import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { difference } from '../../scripts/lib/dependencies.mjs';
import { staticFiles } from '../../scripts/lib/server.mjs';
import { judged } from '../../scripts/lib/test-steps.mjs';

describe('installed packages against the lock', () => {
  const lock = {
    '': { version: '1.0.0' },
    'node_modules/a': { version: '1.0.0', integrity: 'x' },
    'node_modules/a-other-platform': { version: '1.0.0', integrity: 'y', optional: true },
  };
  const installed = { 'node_modules/a': { version: '1.0.0', integrity: 'x' } };

  test('the same, but for binaries of other platforms', () => {
    expect(difference(lock, installed)).toBeUndefined();
  });
  test('a package is missing', () => {
    expect(difference(lock, {})).toBe('node_modules/a is missing');
  });
  test('another version, or the same version with other bytes', () => {
    const version = { 'node_modules/a': { version: '1.0.1', integrity: 'x' } };
    const bytes = { 'node_modules/a': { version: '1.0.0', integrity: 'z' } };
    expect(difference(lock, version)).toBe('node_modules/a is another');
    expect(difference(lock, bytes)).toBe('node_modules/a is another');
  });
  test('a package more; one that a person added by hand does not count', () => {
    const more = { ...installed, 'node_modules/b': { version: '1.0.0' } };
    const byHand = { ...installed, 'node_modules/b': { version: '1.0.0', extraneous: true } };
    expect(difference(lock, more)).toBe('node_modules/b is not in the lock');
    expect(difference(lock, byHand)).toBeUndefined();
  });
});

describe('what a test runner says, distrusted', () => {
  const well = { code: 0, output: '' };
  test.each([
    ['all well', well, { passed: 3, failed: 0, skipped: 1 }, 0],
    ['tests failed', { code: 1, output: '' }, { passed: 3, failed: 2, skipped: 0 }, 2],
    ['it died behind good tests', { code: 1, output: '' }, { passed: 3, failed: 0, skipped: 0 }, 1],
    ['nothing was executed', well, { passed: 0, failed: 0, skipped: 0 }, 1],
    ['everything was skipped', well, { passed: 0, failed: 0, skipped: 9 }, 1],
  ])('%s', (_, outcome, counts, failed) => {
    expect(judged(outcome, counts)).toMatchObject({ ...counts, failed });
  });
  test('golden tests may skip themselves, but not be none', () => {
    const skipped = { passed: 0, failed: 0, skipped: 9 };
    expect(judged(well, skipped, { maySkipAll: true })).toMatchObject(skipped);
    expect(judged(well, { ...skipped, skipped: 0 }, { maySkipAll: true }).failed).toBe(1);
  });
});

describe('the server of npm start', () => {
  const folder = mkdtempSync(join(tmpdir(), 'static-files-'));
  const POLICY = "default-src 'none'";
  mkdirSync(join(folder, 'app/assets'), { recursive: true });
  writeFileSync(
    join(folder, 'app/index.html'),
    `<meta http-equiv="Content-Security-Policy" content="${POLICY}" />`,
  );
  writeFileSync(join(folder, 'app/sw.js'), 'self');
  writeFileSync(join(folder, 'app/assets/a-hash.js'), 'code');
  writeFileSync(join(folder, 'secret'), 'secret');
  const server = createServer(staticFiles(join(folder, 'app'), '/base/'));

  beforeAll(() => new Promise<void>((done) => server.listen(0, '127.0.0.1', done)));
  afterAll(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });

  /** With node:http, because fetch tidies paths. */
  function ask(path: string, headers = {}): Promise<IncomingMessage> {
    const { port } = server.address() as AddressInfo;
    return new Promise((done, fail) => {
      get({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
        response.resume();
        done(response);
      }).on('error', fail);
    });
  }

  test('files have their types, the page its policy', async () => {
    const page = await ask('/base/');
    expect(page.statusCode).toBe(200);
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(page.headers['content-security-policy']).toBe(POLICY);
    const script = await ask('/base/assets/a-hash.js?x=1');
    expect(script.headers['content-type']).toBe('text/javascript; charset=utf-8');
    expect(script.headers['cache-control']).toContain('immutable');
    expect(script.headers['content-security-policy']).toBe(POLICY);
  });

  test('the service worker is never kept, and may fetch', async () => {
    const { headers } = await ask('/base/sw.js');
    expect(headers['cache-control']).toBe('no-store');
    expect(headers['content-security-policy']).toBeUndefined();
  });

  test('what has not changed is not sent again', async () => {
    const { etag } = (await ask('/base/')).headers;
    expect((await ask('/base/', { 'if-none-match': etag })).statusCode).toBe(304);
  });

  test.each(['/base/../../secret', '/base/..%2f..%2fsecret', '/base/%2e%2e/secret', '/base/%'])(
    'nothing outside the folder: %s',
    async (path) => {
      expect((await ask(path)).statusCode).toBe(404);
    },
  );

  test('the bare host leads to the app', async () => {
    const { statusCode, headers } = await ask('/');
    expect([statusCode, headers.location]).toEqual([302, '/base/']);
  });
});
