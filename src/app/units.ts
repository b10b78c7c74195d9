/** Numbers for people: sizes in the chosen units, offsets in hex, times rounded to what is honest. */
import { settings, type Units } from './settings.svelte.ts';

const NAMES: Record<Units, readonly string[]> = {
  binary: ['KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'],
  decimal: ['kB', 'MB', 'GB', 'TB', 'PB', 'EB'],
};
const STEPS: Record<Units, number> = { binary: 1024, decimal: 1000 };
const formats = new Map<string, Intl.NumberFormat>();

function format(tag: string, digits: number): Intl.NumberFormat {
  const key = `${tag} ${digits}`;
  let found = formats.get(key);
  if (found === undefined) {
    found = new Intl.NumberFormat(tag, { maximumFractionDigits: digits });
    formats.set(key, found);
  }
  return found;
}

/** A whole number with the separators of the language. */
export function whole(value: number, tag: string): string {
  return format(tag, 0).format(value);
}

/**
 * A size in the largest unit that keeps it at 1 or more: `1.5 GiB`, `512 B`. In the units of the
 * settings, if not said otherwise.
 */
export function bytes(value: number, tag: string, units: Units = settings.units): string {
  if (!Number.isFinite(value)) return '–';
  const step = STEPS[units];
  if (Math.abs(value) < step) return `${whole(value, tag)} B`;
  let scaled = value;
  let unit = -1;
  while (Math.abs(scaled) >= step && unit < NAMES[units].length - 1) {
    scaled /= step;
    unit += 1;
  }
  const digits = Math.abs(scaled) < 9.995 ? 2 : Math.abs(scaled) < 99.95 ? 1 : 0;
  return `${format(tag, digits).format(scaled)} ${NAMES[units][unit] ?? ''}`;
}

/** The exact size, for tooltips and copies: `1,610,612,736 bytes`. */
export function exactBytes(value: number, tag: string): string {
  return `${whole(value, tag)} ${tag.startsWith('zh') ? '字节' : value === 1 ? 'byte' : 'bytes'}`;
}

/** A rate in powers of 1000, as the makers of disks count: `240 MB/s`. */
export function rate(bytesPerSecond: number, tag: string): string {
  if (bytesPerSecond >= 1e9) return `${format(tag, 1).format(bytesPerSecond / 1e9)} GB/s`;
  if (bytesPerSecond >= 1e6) return `${format(tag, 0).format(bytesPerSecond / 1e6)} MB/s`;
  return `${format(tag, 0).format(bytesPerSecond / 1e3)} kB/s`;
}

/** An offset in the file or on the disk: `0x5a0000`. */
export function hex(offset: number): string {
  return `0x${offset.toString(16)}`;
}

/** A share in percent: none, `< 1 %`, else a whole number. */
export function percent(part: number, total: number, tag: string): string {
  if (total <= 0 || part <= 0) return `${whole(0, tag)} %`;
  const share = (100 * part) / total;
  return share < 1 ? '< 1 %' : `${format(tag, 0).format(Math.min(share, 100))} %`;
}

/** Seconds rounded so that the number does not twitch: 5 s steps, then 15 s, minutes, hours. */
export function roundSeconds(seconds: number): number {
  if (seconds < 10) return Math.max(1, Math.round(seconds));
  if (seconds < 60) return Math.round(seconds / 5) * 5;
  if (seconds < 300) return Math.round(seconds / 15) * 15;
  if (seconds < 3600) return Math.round(seconds / 60) * 60;
  return Math.round(seconds / 600) * 600;
}

/** A span in the words of the language, at most two units: `1 min 15 s`, `40 ms`. */
export function span(milliseconds: number, tag: string): string {
  const zh = tag.startsWith('zh');
  if (milliseconds < 995) return `${whole(Math.max(1, milliseconds), tag)} ${zh ? '毫秒' : 'ms'}`;
  if (milliseconds < 9950) {
    return `${format(tag, 1).format(milliseconds / 1000)} ${zh ? '秒' : 's'}`;
  }
  const seconds = Math.round(milliseconds / 1000);
  const names = zh ? ['小时', '分', '秒'] : ['h', 'min', 's'];
  const parts = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), seconds % 60];
  const first = parts.findIndex((part) => part > 0);
  return parts
    .map((part, index) => ({ part, text: `${part} ${names[index] ?? ''}` }))
    .filter(({ part }, index) => part > 0 && index <= first + 1)
    .map(({ text }) => text)
    .join(' ');
}

/** How long a machine ran, as qemu-img writes it: `12:03:04.567`. */
export function clock(nanoseconds: number): string {
  const milliseconds = Math.floor(nanoseconds / 1e6);
  const two = (value: number): string => String(value).padStart(2, '0');
  const seconds = Math.floor(milliseconds / 1000);
  const rest = String(milliseconds % 1000).padStart(3, '0');
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}.${rest}`;
}

/** A point in time, short: date and time of day in the language's order. */
export function moment(milliseconds: number, tag: string): string {
  return new Intl.DateTimeFormat(tag, { dateStyle: 'medium', timeStyle: 'short' }).format(
    milliseconds,
  );
}

/** How long ago: `5 minutes ago`, `yesterday`. */
export function ago(milliseconds: number, now: number, tag: string): string {
  const words = new Intl.RelativeTimeFormat(tag, { numeric: 'auto' });
  const seconds = (milliseconds - now) / 1000;
  if (seconds > -60) return words.format(0, 'second');
  if (seconds > -3600) return words.format(Math.round(seconds / 60), 'minute');
  if (seconds > -86400) return words.format(Math.round(seconds / 3600), 'hour');
  return words.format(Math.round(seconds / 86400), 'day');
}
