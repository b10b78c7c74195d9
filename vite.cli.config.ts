import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vite';
import { licences } from './scripts/lib/vite-licences.ts';

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
const OUT_DIR = 'dist/cli';
const OUT_FILE = 'qemu-img.mjs';

/** The command line: one file that needs Node and nothing else. */
export default defineConfig({
  define: { __APP_VERSION__: JSON.stringify(version) },
  publicDir: false,
  ssr: { noExternal: true },
  plugins: [
    licences('licenses.md').write,
    {
      name: 'executable',
      writeBundle: () => chmodSync(join(OUT_DIR, OUT_FILE), 0o755),
    },
  ],
  build: {
    ssr: 'src/command/node/main.ts',
    outDir: OUT_DIR,
    target: 'node20',
    minify: true,
    reportCompressedSize: false,
    rolldownOptions: {
      output: {
        entryFileNames: OUT_FILE,
        banner: '#!/usr/bin/env node',
        codeSplitting: false,
      },
    },
  },
});
