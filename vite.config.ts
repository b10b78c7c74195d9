import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';
import { devContentSecurityPolicy } from './scripts/lib/vite-dev-csp.ts';
import { licences } from './scripts/lib/vite-licences.ts';
import { moduleReport } from './scripts/lib/vite-module-report.ts';
import { serviceWorker } from './scripts/lib/vite-service-worker.ts';

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };

/** The commit that is built, short; '' outside of a clone. */
function commit(): string {
  try {
    const args = ['rev-parse', '--short=10', 'HEAD'];
    return execFileSync('git', args, { encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return '';
  }
}

/** Nothing there does anything by being loaded. */
const ENGINE = /\/src\/engine\//;

/** The texts that the licences of bundled packages want beside every copy. */
const licenceTexts = licences('licenses.md');

/** The app: `dist/app`, any static host, any sub-path. */
export default defineConfig({
  base: './',
  plugins: [
    svelte(),
    devContentSecurityPolicy(),
    moduleReport('dist/page-modules.json'),
    licenceTexts.write,
    serviceWorker('src/sw/sw.ts'),
  ],
  define: {
    __APP_VERSION__: JSON.stringify(version),
    __APP_COMMIT__: JSON.stringify(commit()),
  },
  worker: {
    format: 'es',
    plugins: () => [licenceTexts.collect()],
    rolldownOptions: {
      treeshake: {
        // Its door exports everything; what nobody asks for is left out, tables of fields included.
        moduleSideEffects: (id) => !ENGINE.test(id),
      },
    },
  },
  build: {
    outDir: 'dist/app',
    target: 'es2023',
    // light-dark() has to stay: what older browsers get in its place cannot be switched by a setting.
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    // Every browser that can run the app knows modulepreload.
    modulePreload: { polyfill: false },
    // The policy allows no inline script, and small files in the cache cost nothing.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  optimizeDeps: {
    include: [
      '@noble/hashes/hmac.js',
      '@noble/hashes/legacy.js',
      '@noble/hashes/sha2.js',
      'comlink',
      'idb-keyval',
      'pako',
    ],
  },
});
