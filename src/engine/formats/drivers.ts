/**
 * The formats: how each is recognised, and where its code is. Recognising is small and always at
 * hand; a format's code is loaded when a file of it turns up.
 */
import type { FormatDriver, FormatName, ProbedFile } from './format.ts';
import { probeBochs } from './bochs/probe.ts';
import { probeCloop } from './cloop/probe.ts';
import { probeDmg } from './dmg/probe.ts';
import { probeVmdk } from './vmdk/probe.ts';
import { probeVpc } from './vpc/probe.ts';

/** A format as far as it is known without its code. */
interface KnownFormat {
  /**
   * How sure the file makes us, from 0 (not at all) to 100, by qemu-img's measure. Where `last` is
   * not to be looked at, only what qemu-img looks at counts.
   */
  probe(file: ProbedFile): number;
  load(): Promise<FormatDriver>;
}

/** In qemu-img's order: of those that are equally sure, the first has it. */
const FORMATS: Partial<Record<FormatName, KnownFormat>> = {
  bochs: { probe: probeBochs, load: async () => (await import('./bochs/index.ts')).bochsDriver },
  cloop: { probe: probeCloop, load: async () => (await import('./cloop/index.ts')).cloopDriver },
  dmg: { probe: probeDmg, load: async () => (await import('./dmg/index.ts')).dmgDriver },
  luks: {
    probe: (file) => (beginsWith(file, 'LUKS\xba\xbe\0\x01') ? 100 : 0),
    load: async () => (await import('./luks-volume/index.ts')).luksDriver,
  },
  qcow: {
    probe: (file) => (beginsWith(file, 'QFI\xfb\0\0\0\x01') && file.size >= 48 ? 100 : 0),
    load: async () => (await import('./qcow/index.ts')).qcowDriver,
  },
  parallels: {
    probe: (file) => {
      const magics = ['WithoutFreeSpace\x02\0\0\0', 'WithouFreSpacExt\x02\0\0\0'];
      return file.size >= 64 && magics.some((magic) => beginsWith(file, magic)) ? 100 : 0;
    },
    load: async () => (await import('./parallels/index.ts')).parallelsDriver,
  },
  qed: {
    probe: (file) => (beginsWith(file, 'QED\0') && file.size >= 64 ? 100 : 0),
    load: async () => (await import('./qed/index.ts')).qedDriver,
  },
  vdi: {
    probe: (file) => (file.size >= 512 && beginsWith(file, '\x7f\x10\xda\xbe', 64) ? 100 : 0),
    load: async () => (await import('./vdi/index.ts')).vdiDriver,
  },
  vhdx: {
    probe: (file) => (beginsWith(file, 'vhdxfile') ? 100 : 0),
    load: async () => (await import('./vhdx/index.ts')).vhdxDriver,
  },
  vmdk: { probe: probeVmdk, load: async () => (await import('./vmdk/index.ts')).vmdkDriver },
  vpc: { probe: probeVpc, load: async () => (await import('./vpc/index.ts')).vpcDriver },
};

/** Bytes of the beginning and of the end that decide. */
export const PROBE_FIRST = 4096;
export const PROBE_LAST = 1024;

/** Formats that can be opened, beside qcow2 and raw. */
export function driverNames(): FormatName[] {
  return Object.keys(FORMATS) as FormatName[];
}

/** The format that a file most likely has, apart from qcow2 and raw; undefined: none of these. */
export function probeDrivers(file: ProbedFile): FormatName | undefined {
  let best: FormatName | undefined;
  let most = 0;
  for (const [name, format] of Object.entries(FORMATS)) {
    const score = format.probe(file);
    if (score > most) {
      most = score;
      best = name as FormatName;
    }
  }
  return best;
}

/** The code of a format; undefined for those that have no driver (qcow2, raw). */
export async function driverOf(name: FormatName): Promise<FormatDriver | undefined> {
  return FORMATS[name]?.load();
}

/** Whether a file begins with a text; each character is one byte. */
export function beginsWith({ first }: ProbedFile, text: string, at = 0): boolean {
  for (let i = 0; i < text.length; i++) {
    if (first[at + i] !== text.charCodeAt(i)) return false;
  }
  return true;
}
