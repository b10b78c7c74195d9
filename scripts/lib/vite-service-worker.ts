import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { build } from 'vite';
import type { Plugin, ResolvedConfig } from 'vite';

/** The name under which the page registers it. */
const OUTPUT = 'sw.js';

/**
 * Builds the service worker behind the app, when all files that it has to keep are known: it gets
 * their list, a version (a hash over all their names and bytes) and the page's policy.
 */
export function serviceWorker(entry: string): Plugin {
  let config: ResolvedConfig;
  return {
    name: 'service-worker',
    apply: 'build',
    configResolved(resolved) {
      config = resolved;
    },
    closeBundle: {
      order: 'post',
      sequential: true,
      async handler(error?: Error) {
        const outDir = join(config.root, config.build.outDir);
        if (error !== undefined || !existsSync(outDir)) return;
        const files = await filesOf(outDir);
        await buildWorker(join(config.root, entry), outDir, {
          __PRECACHE_FILES__: JSON.stringify(files),
          __PRECACHE_VERSION__: JSON.stringify(versionOf(outDir, files)),
          __POLICY__: JSON.stringify(policyOf(readFileSync(join(outDir, 'index.html'), 'utf8'))),
        });
      },
    },
  };
}

/** Paths of all files below `folder`, relative, with slashes, sorted. */
async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((name) => name !== OUTPUT && !name.endsWith('.map'))
    .sort();
}

function versionOf(folder: string, files: string[]): string {
  const hash = createHash('sha256');
  for (const name of files)
    hash
      .update(name)
      .update('\0')
      .update(readFileSync(join(folder, name)));
  return hash.digest('hex').slice(0, 16);
}

function policyOf(html: string): string {
  const policy = /http-equiv="Content-Security-Policy"\s+content="([^"]*)"/.exec(html)?.[1];
  if (policy === undefined) throw new Error('index.html has no content-security policy');
  return policy;
}

async function buildWorker(
  input: string,
  outDir: string,
  define: Record<string, string>,
): Promise<void> {
  await build({
    configFile: false,
    publicDir: false,
    logLevel: 'warn',
    define,
    build: {
      outDir,
      emptyOutDir: false,
      target: 'es2023',
      reportCompressedSize: false,
      rolldownOptions: {
        input,
        // A classic script: module service workers are not everywhere, and an `export` breaks it.
        output: { format: 'iife', entryFileNames: OUTPUT },
      },
    },
  });
}
