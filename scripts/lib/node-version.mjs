// Imported first by every entry, and written for Nodes that are too old for the rest.
import { readFileSync } from 'node:fs';

/** @type {unknown} */
const json = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
const manifest = /** @type {{ engines: { node: string } }} */ (json);
const needed = manifest.engines.node.replace(/[^0-9.]/g, '');

/** @param {string} version */
function parts(version) {
  return version.split('.').map(Number);
}

const [major = 0, minor = 0] = parts(process.versions.node);
const [neededMajor = 0, neededMinor = 0] = parts(needed);
if (major < neededMajor || (major === neededMajor && minor < neededMinor)) {
  process.stderr.write(
    `This needs Node ${needed} or newer; here is Node ${process.versions.node} (${process.execPath}).\n` +
      'Newer ones: https://nodejs.org/ or your system’s packages.\n',
  );
  process.exit(1);
}
