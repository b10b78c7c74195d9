/** LUKS: «LUKS On-Disk Format Specification», version 1; «LUKS2 On-Disk Format», section 2.1. */
import { struct, u16 } from '../../binary/struct.ts';
import { type Recognised, says, textAt, unnamed } from '../file-system.ts';

const MAGIC = 'LUKS\xba\xbe';
const HEADER = struct({ version: u16(6, 'Version of the format') });
const UUID_AT = 168;
const UUID_BYTES = 40;
const LABEL_AT = 24;
const LABEL_BYTES = 48;

export function readLuks(first: Uint8Array): Recognised | undefined {
  if (first.length < 512 || !says(first, 0, MAGIC)) return undefined;
  const { version } = HEADER.read(first);
  if (version !== 1 && version !== 2) return undefined;
  const uuid = textAt(first, UUID_AT, UUID_BYTES);
  if (version === 1) return { found: { ...unnamed('luks1'), uuid } };
  return { found: { ...unnamed('luks2'), uuid, label: textAt(first, LABEL_AT, LABEL_BYTES) } };
}
