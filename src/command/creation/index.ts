/** The formats that images can be created in, apart from qcow2 and raw. */
import type { TargetFormat } from './target-format.ts';

const TARGETS: Readonly<Record<string, () => Promise<TargetFormat>>> = {
  luks: async () => (await import('./luks.ts')).luksTarget,
  qcow: async () => (await import('./qcow.ts')).qcowTarget,
  parallels: async () => (await import('./parallels.ts')).parallelsTarget,
  qed: async () => (await import('./qed.ts')).qedTarget,
  vdi: async () => (await import('./vdi.ts')).vdiTarget,
  vmdk: async () => (await import('./vmdk.ts')).vmdkTarget,
  vpc: async () => (await import('./vpc.ts')).vpcTarget,
  vhdx: async () => (await import('./vhdx.ts')).vhdxTarget,
};

/** A format by its name; undefined where none can be created here (and for qcow2 and raw). */
export async function targetFormat(name: string): Promise<TargetFormat | undefined> {
  return Object.hasOwn(TARGETS, name) ? TARGETS[name]?.() : undefined;
}
