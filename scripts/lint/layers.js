import { dirname, relative, resolve, sep } from 'node:path';
import { isBuiltin } from 'node:module';
import { fileURLToPath } from 'node:url';

const SRC = resolve(dirname(fileURLToPath(import.meta.url)), '../../src');

/**
 * The layers, most special first: the first pattern that matches a path (relative to src/) names
 * the layer of the file.
 * - `values`: layers whose code it may use (its own is always allowed);
 * - `types`: layers of which it may know the types besides;
 * - `packages`: what it may load from node_modules; `node`: whether from Node itself.
 * @typedef {{ name: string, files: RegExp, values: string[], types: string[],
 *   packages?: RegExp, node?: boolean }} Layer
 */

const ENGINE_TYPES = [
  'engine',
  'engine/binary',
  'engine/guest',
  'engine/containers',
  'engine/base',
  'engine/storage',
  'engine/formats',
  'engine/contracts',
  'engine/destinations',
  'engine/operations',
  'engine/diagnosis',
];

/** @type {Layer[]} */
const LAYERS = [
  { name: 'main', files: /^main\.ts$/, values: ['ui', 'app'], types: [], packages: /^svelte$/ },
  {
    name: 'ui',
    files: /^ui\//,
    values: ['app'],
    types: ['worker/api', ...ENGINE_TYPES],
    packages: /^svelte(\/|$)/,
  },
  {
    name: 'app',
    files: /^app\//,
    values: ['worker/client', 'command/texts'],
    types: ['worker/api', ...ENGINE_TYPES],
    packages: /^(svelte(\/|$)|idb-keyval$)/,
  },
  { name: 'sw', files: /^sw\//, values: [], types: [] },
  { name: 'worker/api', files: /^worker\/api(-\w+)?\.ts$/, values: [], types: ENGINE_TYPES },
  {
    // Runs on the page as well as in the worker: may know the errors, which are a leaf, and no more.
    name: 'worker/wire',
    files: /^worker\/wire\.ts$/,
    values: ['engine/base'],
    types: ['worker/api', ...ENGINE_TYPES],
    packages: /^comlink$/,
  },
  {
    name: 'worker/client',
    files: /^worker\/client[^/]*\.ts$/,
    values: ['worker/wire', 'engine/base'],
    types: ['worker/api', ...ENGINE_TYPES],
    packages: /^comlink$/,
  },
  {
    name: 'worker',
    files: /^worker\//,
    values: ['worker/wire', 'command', 'engine'],
    types: ['worker/api', ...ENGINE_TYPES],
    packages: /^comlink$/,
  },
  {
    name: 'command/node',
    files: /^command\/node\//,
    values: ['command', 'engine'],
    types: ENGINE_TYPES,
    node: true,
  },
  {
    // What is said of findings, in English: the command line and the page say the same.
    name: 'command/texts',
    files: /^command\/diagnosis\//,
    values: [],
    types: ENGINE_TYPES,
  },
  {
    name: 'command',
    files: /^command\//,
    values: ['command/texts', 'engine'],
    types: ENGINE_TYPES,
  },
  {
    name: 'engine',
    files: /^engine\/index\.ts$/,
    values: [
      'engine/diagnosis',
      'engine/operations',
      'engine/contracts',
      'engine/formats',
      'engine/destinations',
      'engine/guest',
      'engine/containers',
      'engine/codecs',
      'engine/storage',
      'engine/binary',
      'engine/base',
    ],
    types: [],
  },
  {
    // Interfaces and plain descriptions that several layers of the engine share as types.
    name: 'engine/contracts',
    files:
      /^engine\/(formats\/format|operations\/(finding|check-report|compare-report|operation|image-info))\.ts$/,
    values: ['engine/binary', 'engine/base'],
    types: ['engine/formats', 'engine/codecs', 'engine/storage'],
  },
  {
    // Looks at everything and judges it: facts in, findings out.
    name: 'engine/diagnosis',
    files: /^engine\/diagnosis\//,
    values: [
      'engine/operations',
      'engine/destinations',
      'engine/contracts',
      'engine/formats',
      'engine/guest',
      'engine/containers',
      'engine/codecs',
      'engine/storage',
      'engine/binary',
      'engine/base',
    ],
    types: [],
  },
  {
    name: 'engine/operations',
    files: /^engine\/operations\//,
    values: [
      'engine/contracts',
      'engine/formats',
      'engine/guest',
      'engine/containers',
      'engine/codecs',
      'engine/storage',
      'engine/binary',
      'engine/base',
    ],
    types: [],
  },
  {
    name: 'engine/formats',
    files: /^engine\/formats\//,
    values: ['engine/codecs', 'engine/storage', 'engine/binary', 'engine/base'],
    types: ['engine/contracts'],
  },
  {
    // Rules about programs that take images: facts in, verdicts out.
    name: 'engine/destinations',
    files: /^engine\/destinations\//,
    values: ['engine/base'],
    types: ['engine/contracts'],
  },
  {
    name: 'engine/guest',
    files: /^engine\/guest\//,
    values: ['engine/codecs', 'engine/storage', 'engine/binary', 'engine/base'],
    types: ['engine/contracts'],
  },
  {
    name: 'engine/containers',
    files: /^engine\/containers\//,
    values: ['engine/codecs', 'engine/storage', 'engine/binary', 'engine/base'],
    types: ['engine/contracts'],
  },
  {
    name: 'engine/codecs',
    files: /^engine\/codecs\//,
    values: ['engine/binary', 'engine/base'],
    types: ['engine/contracts'],
    packages: /^(pako$|@noble\/hashes\/)/,
  },
  {
    name: 'engine/storage',
    files: /^engine\/storage\//,
    values: ['engine/binary', 'engine/base'],
    types: [],
  },
  { name: 'engine/binary', files: /^engine\/binary\//, values: ['engine/base'], types: [] },
  { name: 'engine/base', files: /^engine\/(errors|yield)\.ts$/, values: [], types: [] },
];

/**
 * @param {string} path absolute
 * @returns {Layer | undefined} the layer; undefined outside src/
 */
function layerOf(path) {
  const inside = relative(SRC, path).split(sep).join('/');
  return LAYERS.find((layer) => layer.files.test(inside));
}

/**
 * Why `from` may not import `source`, or undefined when it may.
 * @param {string} file absolute path of the importing file
 * @param {string} source the module as written
 * @param {boolean} typeOnly
 * @returns {string | undefined}
 */
export function refusal(file, source, typeOnly) {
  const from = layerOf(file);
  if (from === undefined) {
    return file.startsWith(SRC + sep) ? `${file} belongs to no layer.` : undefined;
  }
  if (!source.startsWith('.')) {
    if (isBuiltin(source)) {
      return from.node === true ? undefined : `${from.name} must run without Node.`;
    }
    if (typeOnly || from.packages?.test(source) === true) return undefined;
    return `${from.name} does not use the package ${source}.`;
  }
  const target = resolve(dirname(file), source.replace(/\?.*$/, ''));
  const to = layerOf(target);
  if (to === undefined) return `${source} is not part of src, or belongs to no layer.`;
  if (to === from || from.values.includes(to.name)) return undefined;
  if (typeOnly && from.types.includes(to.name)) return undefined;
  return typeOnly || !from.types.includes(to.name)
    ? `${from.name} may not import ${to.name}.`
    : `${from.name} may import only types of ${to.name}.`;
}

/** @typedef {import('estree').Node & { importKind?: string, exportKind?: string }} Declaration */

/**
 * Imports point one way (README.md, Layout). Checked on every static and dynamic import.
 * @type {import('eslint').Rule.RuleModule}
 */
export const layers = {
  meta: {
    type: 'problem',
    docs: { description: 'imports between the folders of src/ point one way' },
    schema: [],
    messages: { refused: '{{ why }}' },
  },
  create(context) {
    /**
     * @param {import('estree').Node} node
     * @param {unknown} source
     * @param {boolean} typeOnly
     */
    function look(node, source, typeOnly) {
      if (typeof source !== 'string') return;
      const why = refusal(context.filename, source, typeOnly);
      if (why !== undefined) context.report({ node, messageId: 'refused', data: { why } });
    }
    return {
      ImportDeclaration: (node) => {
        const kind = /** @type {Declaration} */ (node).importKind;
        look(node, node.source.value, kind === 'type');
      },
      ExportNamedDeclaration: (node) => {
        const kind = /** @type {Declaration} */ (node).exportKind;
        if (node.source) look(node, node.source.value, kind === 'type');
      },
      ExportAllDeclaration: (node) => {
        const kind = /** @type {Declaration} */ (node).exportKind;
        look(node, node.source.value, kind === 'type');
      },
      ImportExpression: (node) => {
        if (node.source.type === 'Literal') look(node, node.source.value, false);
      },
    };
  },
};
