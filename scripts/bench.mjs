// npm run bench: the built app in Chromium and the command line under Node against qemu-img, on the
// same files in the same run.
//   npm run bench -- --runs 5 --only overview,check
import './lib/node-version.mjs';
import { buildIfNeeded } from './lib/build.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { ensureBrowser, ensureQemuImg } from './lib/test-setup.mjs';

await ensureDependencies();
await buildIfNeeded();
if (!(await ensureBrowser())) throw new Error('There is no Chromium.');
if (!(await ensureQemuImg())) throw new Error('There is no qemu-img to compare with.');

// Node 20 does not read TypeScript: Vite loads the bench as it loads the tests.
const { createServer } = await import('vite');
const vite = await createServer({
  configFile: false,
  appType: 'custom',
  server: { middlewareMode: true, hmr: false, ws: false, watch: null },
});
const module = /** @type {{ main: (args: string[]) => Promise<void> }} */ (
  await vite.ssrLoadModule('/test/bench/main.ts')
);
try {
  await module.main(process.argv.slice(2));
} finally {
  await vite.close();
}
