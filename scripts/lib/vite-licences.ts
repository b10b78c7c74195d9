import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'vite';

/** The folder of a package, in the path of a module. */
const PACKAGE = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/;

/**
 * Writes the licence texts of all packages of which something was bundled, as these licences want
 * it. Vite's own option leaves out what only workers use; `collect` is the plugin for these.
 */
export function licences(file: string): { write: Plugin; collect: () => Plugin } {
  const folders = new Set<string>();
  const generateBundle: Plugin['generateBundle'] = (_options, bundle) => {
    for (const output of Object.values(bundle)) {
      if (output.type !== 'chunk') continue;
      for (const [id, module] of Object.entries(output.modules)) {
        const [folder] = PACKAGE.exec(id) ?? [];
        if (folder !== undefined && module.renderedLength > 0) folders.add(folder);
      }
    }
  };
  return {
    collect: () => ({ name: 'licences-collect', apply: 'build', generateBundle }),
    write: {
      name: 'licences',
      apply: 'build',
      generateBundle,
      writeBundle({ dir = '' }) {
        const parts = [...folders].map(licenceOf).sort();
        writeFileSync(join(dir, file), ['# Licences of what is bundled', ...parts].join('\n\n'));
      },
    },
  };
}

/** A heading with the package's name, and the text of its licence. */
function licenceOf(folder: string): string {
  const text = readFileSync(join(folder, 'package.json'), 'utf8');
  const { name, version, license } = JSON.parse(text) as Record<string, string>;
  const file = readdirSync(folder).find((entry) => /^licen[cs]e(\.\w+)?$/i.test(entry));
  const heading = `## ${name} ${version} (${license})`;
  return file === undefined
    ? `${heading}\n`
    : `${heading}\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`;
}
