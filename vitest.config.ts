import { svelte } from '@sveltejs/vite-plugin-svelte';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { chromiumOptions } from './test/chromium.ts';

/**
 * `unit` and `golden` run under Node, `browser` in Chromium, `size` looks at the built app. Golden
 * tests compare with the real qemu-img; their own project lets `npm test` say when they were skipped.
 */
export default defineConfig({
  define: { __APP_VERSION__: JSON.stringify('0.0.0-test'), __APP_COMMIT__: JSON.stringify('') },
  test: {
    // The clients' default is a thread a core; the machines that run this have two.
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        // State and deriveds of runes classes work here; effects run in the browser project only.
        plugins: [svelte()],
        test: {
          name: 'unit',
          environment: 'node',
          include: ['test/{unit,property,damaged}/**/*.test.ts', 'test/storage/**/*.node.test.ts'],
          setupFiles: ['test/property-limits.ts'],
          testTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'golden',
          environment: 'node',
          include: ['test/golden/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'crash',
          environment: 'node',
          include: ['test/crash/**/*.test.ts'],
          testTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: { name: 'size', environment: 'node', include: ['test/size/**/*.test.ts'] },
      },
      {
        extends: true,
        plugins: [svelte()],
        optimizeDeps: {
          include: [
            '@noble/hashes/hmac.js',
            '@noble/hashes/legacy.js',
            '@noble/hashes/sha2.js',
            'comlink',
            'fast-check',
            'idb-keyval',
            'pako',
          ],
        },
        worker: { format: 'es' },
        test: {
          name: 'browser',
          include: ['test/{browser,storage}/**/*.browser.test.ts'],
          testTimeout: 60_000,
          // One file after the other: they share the origin's private storage.
          fileParallelism: false,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: await chromiumOptions(),
              // A private window keeps OPFS in memory, where 2 GiB files fail silently.
              persistentContext: true,
            }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
    ],
  },
});
