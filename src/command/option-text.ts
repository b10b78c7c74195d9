/** Options as text: QEMU's two ways to write a list of them, and its JSON. */

export type OptionValue = string | number | boolean | null;

/** Text that is none of what it should be; says why in qemu-img's words. */
export class OptionFault extends Error {}

/** Whether a text turns something on or off. */
export function isSwitch(text: string): boolean {
  return /^(?:on|off|yes|no|true|false|y|n)$/.test(text);
}

/** One item of a list. */
interface Item {
  /** undefined: there was no name, so the value belongs to the implied one. */
  readonly name: string | undefined;
  /** undefined: there was a name only. */
  readonly value: string | undefined;
}

/**
 * Splits `name=value,name=value`; a comma in a value is written twice. A first item without `=` is
 * a value: that of the implied name.
 * @param plainImplied whether a doubled comma ends that value all the same
 */
function* items(list: string, plainImplied: boolean): Generator<Item> {
  for (let at = 0; at < list.length;) {
    const end = list.slice(at).search(/[=,]/);
    const stop = end < 0 ? list.length : at + end;
    const hasValue = list[stop] === '=';
    const implied = at === 0 && !hasValue;
    const start = implied ? at : stop + 1;
    if (!hasValue && !implied) {
      yield { name: list.slice(at, stop), value: undefined };
      at = stop + 1;
      continue;
    }
    const [value, next] = readValue(list, start, implied && plainImplied);
    yield { name: implied ? undefined : list.slice(at, stop), value };
    at = next;
  }
}

/** The value from `start` on, and where the next item begins. */
function readValue(list: string, start: number, plain: boolean): [string, number] {
  let value = '';
  let at = start;
  for (; at < list.length; at++) {
    if (list[at] === ',') {
      if (plain || list[at + 1] !== ',') break;
      at++;
    }
    value += list.charAt(at);
  }
  return [value, at + 1];
}

/**
 * The options of `--image-opts`. Of several with one name the last counts; a name alone is a
 * switch, turned off by `no` before it.
 * @param warn takes what the real program says of such switches
 */
export function parseOptionList(
  list: string,
  implied: string,
  warn: (text: string) => void,
): Map<string, OptionValue> {
  const options = new Map<string, OptionValue>();
  for (const { name = implied, value } of items(list, false)) {
    if (value !== undefined) {
      options.set(name, value);
      continue;
    }
    const off = name.startsWith('no');
    const real = off ? name.slice(2) : name;
    if (name !== 'help' && name !== '?') {
      const instead = `Please use ${real}=${off ? 'off' : 'on'} instead`;
      warn(`short-form boolean option '${name}' deprecated\n${instead}`);
    }
    options.set(real, off ? 'off' : 'on');
  }
  return options;
}

/** What `--object` describes; `help` asks for what could be described. */
export interface ObjectText {
  readonly values: ReadonlyMap<string, OptionValue | object>;
  readonly help: boolean;
}

/**
 * A list whose first item may be the type alone, or a JSON object. What stands behind `secret` and
 * is none of the `known` names is taken for a part of it and never shown: its commas should have
 * been written twice.
 * @throws OptionFault
 */
export function parseObjectText(
  text: string,
  secret: string,
  known: readonly string[],
): ObjectText {
  if (text.startsWith('{')) {
    return { values: new Map(Object.entries(parseJson(text) as object)), help: false };
  }
  const values = new Map<string, string>();
  let help = false;
  for (const { name = 'qom-type', value } of items(text, true)) {
    const isHelp = name === 'help' || name === '?' || (name === 'qom-type' && value === 'help');
    if (isHelp || (name === 'qom-type' && value === '?')) {
      help = true;
      continue;
    }
    if (values.has(secret) && (value === undefined || !known.includes(name))) {
      throw new OptionFault(`A comma within '${secret}' must be written twice`);
    }
    if (!/^[A-Za-z_][\w-]*(?:\.[\w-]+)*$/.test(name))
      throw new OptionFault(`Invalid parameter '${name}'`);
    if (value === undefined) throw new OptionFault(`Expected '=' after parameter '${name}'`);
    values.set(name, value);
  }
  return { values, help };
}

/** What is after `json:`, or undefined for a name of another kind. */
export function jsonOf(name: string): string | undefined {
  return name.startsWith('json:') ? name.slice('json:'.length) : undefined;
}

/** A name that is JSON: its options, nested ones with dots in their names. @throws OptionFault */
export function parseJsonName(json: string): Map<string, OptionValue> {
  let parsed: unknown;
  try {
    parsed = parseJson(json);
  } catch (error) {
    if (!(error instanceof OptionFault)) throw error;
    throw new OptionFault(`Could not parse the JSON options: ${error.message}`);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new OptionFault('Invalid JSON object given');
  }
  const options = new Map<string, OptionValue>();
  flatten(parsed, '', options);
  return options;
}

function flatten(value: object, prefix: string, options: Map<string, OptionValue>): void {
  for (const [key, item] of Object.entries(value) as [string, OptionValue | object][]) {
    if (typeof item === 'object' && item !== null) flatten(item, `${prefix}${key}.`, options);
    else options.set(prefix + key, item);
  }
}

/** JSON as QEMU reads it: strings may stand in single quotes. @throws OptionFault */
function parseJson(text: string): unknown {
  if (text.trim() === '') throw new OptionFault('Expecting a JSON value');
  const strings = /"(?:[^"\\]|\\.)*"|'((?:[^'\\]|\\.)*)'/g;
  const usual = text.replace(strings, (whole, single: string | undefined) =>
    single === undefined ? whole : `"${single.replaceAll("\\'", "'").replace(/(?<!\\)"/g, '\\"')}"`,
  );
  try {
    return JSON.parse(usual);
  } catch {
    throw new OptionFault(jsonFault(usual));
  }
}

/** Only the usual faults have the real program's words. */
function jsonFault(text: string): string {
  const outside = text.replace(/"(?:[^"\\]|\\.)*"/g, '');
  const count = (brackets: string) => [...outside].filter((one) => brackets.includes(one)).length;
  if (count('{[') > count('}]')) return 'JSON parse error, premature EOI';
  return /[}\]]\s*[^\s,\]}]/.test(outside)
    ? 'Expecting at most one JSON value'
    : 'JSON parse error';
}
