import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import type { Plugin, ResolvedConfig } from 'vite';

/**
 * Writes which source files went into each of the page's chunks (`{ chunk: modules }`), beside the
 * app and not into it. The size tests see from it that no engine code is on the page.
 */
export function moduleReport(file: string): Plugin {
  let config: ResolvedConfig;
  return {
    name: 'module-report',
    apply: 'build',
    configResolved(resolved) {
      config = resolved;
    },
    writeBundle(_options, bundle) {
      const report: Record<string, string[]> = {};
      for (const output of Object.values(bundle)) {
        if (output.type !== 'chunk') continue;
        const modules = Object.entries(output.modules);
        report[output.fileName] = modules
          .filter(([, module]) => module.renderedLength > 0)
          .map(([id]) => relative(config.root, id).split(sep).join('/'));
      }
      const path = join(config.root, file);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, JSON.stringify(report, null, 2));
    },
  };
}
