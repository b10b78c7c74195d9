/** What formats other than qcow2 say of themselves, in words. */
import type { FactKey, ImageInfo } from '../worker/api.ts';
import type { Fact } from './facts.ts';
import { bytes, exactBytes, moment } from './units.ts';
import { words } from './words.svelte.ts';

/** Facts that are sizes of something else than the disk. */
const SIZES: readonly FactKey[] = ['block-size', 'sector-size', 'physical-sector-size'];
const DISK_SIZES: readonly FactKey[] = ['geometry-size', 'current-size'];
const TIMES: readonly FactKey[] = ['created', 'parent-date'];

/** The format, its kind, and all that its headers tell a person. */
export function foreignFacts(info: ImageInfo): Fact[] {
  const { overview, formats } = words.image;
  const { format, description } = info;
  const name: Fact = {
    ...{ id: 'format', label: overview.format, value: formats.names[format], copy: format },
    note: format === 'raw' ? overview.rawNote : formats.qemuName(format),
  };
  const facts: Fact[] = [];
  for (const { key, value } of description?.facts ?? []) {
    const fact = factOf(key, value, info.virtualSize);
    if (fact !== undefined) facts.push({ ...fact, id: `${key} ${facts.length}` });
  }
  return [name, ...facts];
}

function factOf(key: FactKey, value: string | number, virtualSize: number): Fact | undefined {
  const { formats } = words.image;
  const { tag } = words;
  const fact: Fact = {
    ...{ id: key, label: formats.facts[key], value: String(value), note: '', copy: String(value) },
  };
  if (typeof value === 'number' && DISK_SIZES.includes(key)) {
    // The same size twice is no news.
    if (value === virtualSize) return undefined;
    const note = `${exactBytes(value, tag)}. ${formats.otherSize(bytes(virtualSize, tag))}`;
    return { ...fact, value: bytes(value, tag), note };
  }
  if (typeof value === 'number' && SIZES.includes(key)) {
    return { ...fact, value: bytes(value, tag), note: value < 1024 ? '' : exactBytes(value, tag) };
  }
  if (TIMES.includes(key)) {
    const time = Date.parse(String(value));
    return Number.isNaN(time) ? fact : { ...fact, value: moment(time, tag) };
  }
  switch (key) {
    case 'subformat': {
      const known = formats.subformats[String(value)];
      return known === undefined ? fact : { ...fact, value: known, note: String(value) };
    }
    case 'log':
      return { ...fact, value: value === 'empty' ? formats.logEmpty : formats.logPending };
    case 'geometry':
      return { ...fact, note: formats.geometryNote };
    case 'creator-os':
      return value === 'Wi2k' ? { ...fact, value: 'Windows', note: 'Wi2k' } : fact;
    case 'in-use':
      return { ...fact, value: formats.notClosed };
    default:
      return fact;
  }
}
