import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Paths of the files that pages keep in the private storage of a Chromium profile: it puts them on
 * the disk as they are, under names of its own. The largest comes first.
 */
export function privateFiles(profile: string): string[] {
  const files: { path: string; size: number }[] = [];
  const look = (folder: string, isPrivate: boolean): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) look(path, isPrivate || entry.name === 'File System');
      else if (isPrivate && /^\d+$/.test(entry.name))
        files.push({ path, size: statSync(path).size });
    }
  };
  look(profile, false);
  return files.sort((a, b) => b.size - a.size).map(({ path }) => path);
}
