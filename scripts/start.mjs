// npm start: everything that is missing, then the built app on this computer.
//   --port N    begin the search for a free port there (4173)
//   --base /x/  serve below a path, as a static host might
//   --no-build  serve dist/app as it is
import './lib/node-version.mjs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildIfNeeded } from './lib/build.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { ROOT } from './lib/run.mjs';
import { listenLocally, staticFiles } from './lib/server.mjs';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '4173' },
    base: { type: 'string', default: '/' },
    'no-build': { type: 'boolean', default: false },
  },
});

try {
  if (!values['no-build']) {
    await ensureDependencies();
    await buildIfNeeded();
  }
  const handler = staticFiles(join(ROOT, 'dist/app'), values.base);
  const { port } = await listenLocally(handler, Number(values.port));
  console.log(`\n  qcow2 workbench: http://localhost:${port}${values.base}\n`);
  console.log('  Nothing that you open there leaves this computer. Ctrl+C ends the server.');
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
