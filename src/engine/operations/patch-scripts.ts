/**
 * Scripts that put a patch into a file where it lies: for images that are too large to be copied for
 * a change of a few clusters. They compare the old bytes by SHA-256, keep them in a file of their
 * own, write the new ones and compare again; interrupted, they go on or go back.
 */
import { PIECE } from '../storage/patch-layout.ts';
import { openPatch } from '../storage/patch-file.ts';
import { alignDown } from '../binary/units.ts';
import { createHasher } from '../codecs/hash.ts';
import { throwIfCancelled } from '../errors.ts';
import { readPadded, type Storage } from '../storage/storage.ts';
import { powerShellScript } from './patch-script-powershell.ts';
import { posixScript } from './patch-script-posix.ts';

/** Patches up to this many bytes go into the scripts themselves. */
const INLINE_LIMIT = 256 * 1024;
/** Bytes that are hashed at once. */
const CHUNK = 1024 * 1024;

/** One run of the file, as the scripts need it. */
export interface ScriptRun {
  /** Where in the file, in units of 512 bytes. */
  readonly block: number;
  /** New bytes. */
  readonly length: number;
  /** How many of them the file has before: fewer where it grows. */
  readonly oldLength: number;
  /** Where the new bytes are in the patch; undefined for zeros. */
  readonly storedAt: number | undefined;
}

/** What both scripts say in their languages. Sizes in bytes, digests as SHA-256 in hexadecimal. */
export interface ScriptFacts {
  readonly imageName: string;
  readonly patchName: string;
  readonly patchSha: string;
  /** The patch in base64, where it is short enough. */
  readonly inline: string | undefined;
  readonly oldSize: number;
  readonly newSize: number;
  /** Where what is cut off begins, in units of 512 bytes; undefined when nothing is. */
  readonly cutBlock: number | undefined;
  /** Of the old bytes of all runs, one behind the other, and of what is cut off. */
  readonly oldSha: string;
  /** Of the new bytes of all runs. */
  readonly newSha: string;
  readonly runs: readonly ScriptRun[];
}

export interface PatchScripts {
  /** For `sh`: Linux, macOS, BSD, busybox. */
  readonly posix: { readonly name: string; readonly text: string };
  /** For PowerShell 5.1 and newer. */
  readonly powerShell: { readonly name: string; readonly text: string };
  /** Whether the patch is in them; otherwise it has to lie beside them under its name. */
  readonly standAlone: boolean;
}

/**
 * Makes the scripts for a patch.
 * @param patch as `writePatch` has written it
 * @param base the file that it is for, as it is now
 * @param imageName what the file is called where the scripts will run; they take another, too
 * @throws ImageError patch-invalid, cancelled and those of reading
 */
export async function patchScripts(
  patch: Storage,
  base: Storage,
  imageName: string,
  signal?: AbortSignal,
): Promise<PatchScripts> {
  const file = await openPatch(patch, ['patch']);
  const { oldSize, newSize } = file.header;
  const runs: ScriptRun[] = [];
  const [oldHash, newHash] = [createHasher('sha256'), createHasher('sha256')];
  for await (const { offset, length, content, storedAt } of file.records()) {
    throwIfCancelled(signal);
    const oldLength = Math.max(0, Math.min(length, oldSize - offset));
    oldHash.update(await readPadded(base, offset, oldLength));
    newHash.update(content);
    runs.push({ block: offset / PIECE, length, oldLength, storedAt });
  }
  const cut = newSize < oldSize ? alignDown(newSize, PIECE) : undefined;
  for (let at = cut ?? oldSize; at < oldSize; at += CHUNK) {
    throwIfCancelled(signal);
    oldHash.update(await readPadded(base, at, Math.min(CHUNK, oldSize - at)));
  }
  const facts: ScriptFacts = {
    ...{ imageName, patchName: patch.name, oldSize, newSize, runs },
    patchSha: await digestOf(patch),
    inline: patch.size > INLINE_LIMIT ? undefined : base64(await readPadded(patch, 0, patch.size)),
    cutBlock: cut === undefined ? undefined : cut / PIECE,
    oldSha: hex(oldHash.digest()),
    newSha: hex(newHash.digest()),
  };
  return {
    posix: { name: `${patch.name}.sh`, text: posixScript(facts) },
    powerShell: { name: `${patch.name}.ps1`, text: powerShellScript(facts) },
    standAlone: facts.inline !== undefined,
  };
}

async function digestOf(storage: Storage): Promise<string> {
  const hash = createHasher('sha256');
  for (let at = 0; at < storage.size; at += CHUNK) {
    hash.update(await readPadded(storage, at, Math.min(CHUNK, storage.size - at)));
  }
  return hex(hash.digest());
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** In lines of 76 characters, which every decoder takes. */
export function base64(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 57) {
    lines.push(btoa(String.fromCharCode(...bytes.subarray(at, at + 57))));
  }
  return lines.join('\n');
}
