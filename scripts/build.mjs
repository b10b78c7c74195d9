// npm run build: the app to dist/app, the command line to dist/cli.
import './lib/node-version.mjs';
import { build } from './lib/build.mjs';

const { code, output } = await build();
process.stdout.write(output);
process.exitCode = code;
