/**
 * The app without network. Keeps every built file, whole sets at a time: a new version is fetched
 * beside the old one and takes over when the page says so, never in the middle of work.
 *
 * What the page and this worker say to each other:
 * - The page registers `./sw.js` (built app only). `registration.active` without a waiting worker
 *   means: works offline. `registration.waiting` beside an active one means: an update is ready.
 * - page → waiting worker: `{ type: 'SKIP_WAITING' }`. It takes over, the page gets
 *   `controllerchange` and reloads itself then.
 * - page → active worker: `{ type: 'VERSION' }` with a MessagePort as `ports[0]`; the answer on
 *   that port is `{ type: 'VERSION', version: string }`.
 * - After the first installation the worker claims the open page, so `controllerchange` also comes
 *   once when there was no controller before: reload only if there was one.
 * - Another app shares files: the system posts them to `./share`. They wait here, the page is led to `./?shared=ok` and
 *   asks `{ type: 'SHARED' }` with a MessagePort as `ports[0]`; the answer is
 *   `{ type: 'SHARED', files: File[] }`, once. `?shared=large` and `?shared=failed` have no files.
 *
 * Nothing here asks the network for anything but the files listed at build time.
 */

declare const __PRECACHE_FILES__: string[];
declare const __PRECACHE_VERSION__: string;
/** The page's content-security policy. */
declare const __POLICY__: string;

const worker = self as unknown as ServiceWorkerGlobalScope;

const CACHE_PREFIX = 'app-';
const CACHE_NAME = CACHE_PREFIX + __PRECACHE_VERSION__;

/** Hosts that send `Vary: Origin` would otherwise make module scripts miss, and the page white. */
const MATCH: CacheQueryOptions = { ignoreVary: true, ignoreSearch: true };

/** Bytes. What is shared passes through memory here, which a telephone has little of. */
const MOST_SHARED = 512 * 2 ** 20;

/** How long shared files wait for their page, milliseconds. */
const PATIENCE = 20_000;

/** What was shared and nobody has asked for yet. */
let shared: File[] = [];

worker.addEventListener('install', (event) => event.waitUntil(install()));
worker.addEventListener('activate', (event) => event.waitUntil(activate()));
worker.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method === 'GET' && url.href.startsWith(worker.registration.scope)) {
    event.respondWith(answer(request));
  }
  if (request.method === 'POST' && url.href === shareAddress()) {
    event.respondWith(take(request));
    // A worker that ends forgets what it keeps: the page asks within moments.
    event.waitUntil(new Promise((resolve) => setTimeout(resolve, PATIENCE)));
  }
});
worker.addEventListener('message', (event) => {
  const { type } = event.data as { type?: unknown };
  if (type === 'SKIP_WAITING') void worker.skipWaiting();
  if (type === 'VERSION') {
    event.ports[0]?.postMessage({ type: 'VERSION', version: __PRECACHE_VERSION__ });
  }
  if (type === 'SHARED') {
    event.ports[0]?.postMessage({ type: 'SHARED', files: shared });
    shared = [];
  }
});

/** All files or none: a set with a hole in it would break offline, later and elsewhere. */
async function install(): Promise<void> {
  const cache = await caches.open(CACHE_NAME);
  try {
    await Promise.all(__PRECACHE_FILES__.map((file) => keep(cache, file)));
  } catch (error) {
    await caches.delete(CACHE_NAME);
    throw error;
  }
}

async function keep(cache: Cache, file: string): Promise<void> {
  const url = new URL(file, worker.registration.scope);
  // Past the HTTP cache, which may hold files of the version before under names without a hash.
  const response = await fetch(url, { cache: 'no-cache' });
  if (!response.ok) throw new Error(`${file}: ${response.status}`);
  const headers = new Headers(response.headers);
  // The policy in the page's meta tag does not reach its workers: they follow the headers of their
  // own script. A plain host sends none, so the stored answers carry the policy.
  headers.set('content-security-policy', __POLICY__);
  // The body is stored decoded.
  headers.delete('content-encoding');
  headers.delete('content-length');
  await cache.put(url, new Response(await response.blob(), { headers }));
}

/**
 * The set before this one stays until the next update: another tab may still run it (it will not
 * reload in the middle of a job) and load a part of it later.
 */
async function activate(): Promise<void> {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith(CACHE_PREFIX) && name !== CACHE_NAME);
  await Promise.all(old.slice(0, -1).map((name) => caches.delete(name)));
  await worker.clients.claim();
}

async function answer(request: Request): Promise<Response> {
  const page = new URL('index.html', worker.registration.scope);
  const isPage =
    request.mode === 'navigate' && withoutQuery(request.url) === worker.registration.scope;
  const wanted = isPage ? page : request;
  const cache = await caches.open(CACHE_NAME);
  return (
    (await cache.match(wanted, MATCH)) ??
    (await caches.match(wanted, MATCH)) ??
    (await fetch(request))
  );
}

function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/, '');
}

function shareAddress(): string {
  return new URL('share', worker.registration.scope).href;
}

/** Takes shared files, and leads to the page that opens them. */
async function take(request: Request): Promise<Response> {
  const outcome = await receive(request);
  if (outcome === 'ok') setTimeout(() => (shared = []), PATIENCE);
  // 303: the page is fetched by GET, and a reload does not post again.
  return Response.redirect(`${worker.registration.scope}?shared=${outcome}`, 303);
}

async function receive(request: Request): Promise<'ok' | 'large' | 'failed'> {
  let length = Number(request.headers.get('content-length') ?? 0);
  if (length > MOST_SHARED) return 'large';
  length = 0;
  const counted = request.body?.pipeThrough(
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform: (piece, controller) => {
        length += piece.length;
        if (length > MOST_SHARED) controller.error(new RangeError('too much'));
        else controller.enqueue(piece);
      },
    }),
  );
  try {
    const { headers } = request;
    const form = await (
      counted === undefined ? request : new Response(counted, { headers })
    ).formData();
    const given = form.getAll('images').filter((one) => one instanceof File);
    // A form without a file has one without a name.
    shared = given.filter(({ name }) => name !== '');
    return 'ok';
  } catch {
    return length > MOST_SHARED ? 'large' : 'failed';
  }
}
