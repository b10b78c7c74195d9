import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileSystem, type FileSystemSample } from '../images/file-systems.ts';

let folder: string | undefined;

/** A disk that sfdisk and others made, as a file: holes where nothing of it is known. */
export function diskFile(name: FileSystemSample): string {
  if (folder === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'disks-'));
    process.on('exit', () => rmSync(made, { recursive: true }));
    folder = made;
  }
  const { size, pieces } = fileSystem(name);
  const path = join(folder, name);
  const file = openSync(path, 'w');
  for (const { offset, bytes } of pieces) writeSync(file, bytes, 0, null, offset);
  ftruncateSync(file, size);
  closeSync(file);
  return path;
}
