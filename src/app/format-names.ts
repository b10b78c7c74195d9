import type { FormatName } from '../worker/api.ts';

/** What people call a format, in a word; the same in all languages. */
const NAMES: Partial<Record<FormatName, string>> = {
  bochs: 'Bochs',
  dmg: 'DMG',
  luks: 'LUKS',
  parallels: 'Parallels',
  qed: 'QED',
  vdi: 'VDI',
  vhdx: 'VHDX',
  vmdk: 'VMDK',
  vpc: 'VHD',
};

/** `VHD` where qemu-img says `vpc`; its own name where nobody says otherwise. */
export function shortFormat(format: FormatName): string {
  return NAMES[format] ?? format;
}
