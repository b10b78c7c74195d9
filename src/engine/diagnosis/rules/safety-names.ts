/** What a name in a header makes QEMU open. */

/**
 * - `beside`: a file beside the image, or in a folder below; `path`: a file elsewhere
 * - `system`: a file or device that belongs to the computer itself
 * - `protocol`: something reached over a network or through a driver of QEMU's
 * - `json`: whatever the JSON says, drivers and options included
 */
export type NameReach = 'beside' | 'path' | 'system' | 'protocol' | 'json';

/** Folders in which no disk image lies. */
const SYSTEM =
  /^\/+(?:etc|dev|proc|sys|boot|bin|sbin)(?:\/|$)|\/\.ssh\/|^[a-z]:[\\/]windows(?:[\\/]|$)|^\\\\[.?]\\/i;
/** Two letters at least: one is a drive of Windows. */
const SCHEME = /^[a-z][a-z0-9+.-]+:/i;

export function reachOf(name: string): NameReach {
  if (/^json:/i.test(name)) return 'json';
  // QEMU takes the rest as a path; a second `file:` would be part of it.
  const path = name.replace(/^file:(?:\/\/(?=\/))?/i, '');
  const isFile = path !== name;
  if (!isFile && SCHEME.test(path)) return 'protocol';
  const plain = tidy(path);
  if (SYSTEM.test(plain)) return 'system';
  // From a folder that nobody knows, going up may lead anywhere.
  if (/^(?:\.\.\/)+(?:etc|dev|proc|sys)\//i.test(plain)) return 'system';
  const isElsewhere = /^(?:\/|\\|[a-z]:[\\/]|\.\.(?:\/|$))/i.test(plain);
  return isElsewhere ? 'path' : 'beside';
}

/** Without `.` and what `..` takes back. */
function tidy(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    const isBack = part === '..' && parts.length > 0 && parts.at(-1) !== '..';
    if (isBack && parts.at(-1) === '') continue;
    if (isBack) parts.pop();
    else if (part !== '.' && (part !== '' || parts.length === 0)) parts.push(part);
  }
  return parts.join('/');
}
