import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize, sep } from 'node:path';

/** @type {Record<string, string>} */
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.md': 'text/plain; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
};

/**
 * A request handler that serves the files of `folder` below the path `base`.
 * @param {string} folder
 * @param {string} base begins and ends with a slash
 * @returns {import('node:http').RequestListener}
 */
export function staticFiles(folder, base) {
  return (request, response) => {
    answer(folder, base, request, response).catch((/** @type {unknown} */ error) => {
      console.error(error);
      response.writeHead(500).end();
    });
  };
}

/**
 * @param {string} folder
 * @param {string} base
 * @param {import('node:http').IncomingMessage} request
 * @param {import('node:http').ServerResponse} response
 */
async function answer(folder, base, request, response) {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end();
    return;
  }
  const { pathname } = new URL(request.url ?? '/', 'http://localhost');
  if (!pathname.startsWith(base)) {
    // A person who types only the host should land in the app.
    if (pathname === '/' || pathname + '/' === base) {
      response.writeHead(302, { location: base }).end();
    } else response.writeHead(404).end();
    return;
  }
  const name = pathname.slice(base.length) || 'index.html';
  const bytes = await readInside(folder, name);
  if (bytes === undefined) {
    response.writeHead(404, { 'content-type': 'text/plain' }).end('Not found\n');
    return;
  }
  const headers = headersFor(name, bytes, await policy(folder));
  const known = request.headers['if-none-match'] === headers.etag;
  response.writeHead(known ? 304 : 200, headers);
  response.end(known || request.method === 'HEAD' ? undefined : bytes);
}

/**
 * @param {string} folder
 * @param {string} name
 * @returns {Promise<Buffer | undefined>} undefined when there is no such file inside the folder
 */
async function readInside(folder, name) {
  try {
    const path = normalize(join(folder, decodeURIComponent(name)));
    return path.startsWith(normalize(folder) + sep) ? await readFile(path) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param {string} name
 * @param {Buffer} bytes
 * @param {string} contentSecurityPolicy
 */
function headersFor(name, bytes, contentSecurityPolicy) {
  /** @type {Record<string, string | number>} */
  const headers = {
    'content-type': TYPES[extname(name)] ?? 'application/octet-stream',
    'content-length': bytes.length,
    'x-content-type-options': 'nosniff',
    etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`,
    // Names in assets/ hold a hash of the content; everything else is asked for again each time.
    'cache-control': name.startsWith('assets/') ? 'max-age=31536000, immutable' : 'no-cache',
  };
  // The page says the same in its meta tag, but that does not reach workers. The service worker
  // must be able to fetch the app's own files.
  if (name === 'sw.js') headers['cache-control'] = 'no-store';
  else headers['content-security-policy'] = contentSecurityPolicy;
  return headers;
}

/**
 * The policy that index.html declares.
 * @param {string} folder
 */
async function policy(folder) {
  const html = await readFile(join(folder, 'index.html'), 'utf8');
  return /http-equiv="Content-Security-Policy"\s+content="([^"]*)"/.exec(html)?.[1] ?? '';
}

/**
 * Listens on this computer only, on `port` or the next free one.
 * @param {import('node:http').RequestListener} handler
 * @param {number} port
 * @returns {Promise<{ port: number, close: () => void }>}
 */
export async function listenLocally(handler, port) {
  for (let candidate = port; candidate < port + 100; candidate++) {
    const servers = await listenOnBoth(handler, candidate);
    if (servers === undefined) continue;
    const close = () => {
      for (const server of servers) {
        server.close();
        server.closeAllConnections();
      }
    };
    return { port: candidate, close };
  }
  throw new Error(`All ports from ${port} to ${port + 99} are taken.`);
}

/**
 * `localhost` may mean either address; a stranger's server on one of them would be found instead.
 * @param {import('node:http').RequestListener} handler
 * @param {number} port
 * @returns {Promise<import('node:http').Server[] | undefined>} undefined when the port is taken
 */
async function listenOnBoth(handler, port) {
  const four = await listen(handler, port, '127.0.0.1');
  if (typeof four === 'string') {
    if (four === 'EADDRINUSE' || four === 'EACCES') return undefined;
    throw new Error(`Cannot listen on 127.0.0.1:${port}: ${four}`);
  }
  const six = await listen(handler, port, '::1');
  // Other errors: this computer has no such address.
  if (typeof six === 'string' && six !== 'EADDRINUSE') return [four];
  if (typeof six !== 'string') return [four, six];
  four.close();
  return undefined;
}

/**
 * @param {import('node:http').RequestListener} handler
 * @param {number} port
 * @param {string} host
 * @returns {Promise<import('node:http').Server | string>} the server, or the code of the error
 */
function listen(handler, port, host) {
  return new Promise((resolve) => {
    const server = createServer(handler);
    server.once('error', (/** @type {NodeJS.ErrnoException} */ error) =>
      resolve(error.code ?? error.message),
    );
    server.listen(port, host, () => resolve(server));
  });
}
