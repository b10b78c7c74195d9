/** The keys of what structures mean, of all formats: whoever translates needs every one. */
import type { BochsStructureKey } from '../formats/bochs/structure.ts';
import type { CloopStructureKey } from '../formats/cloop/structure.ts';
import type { DmgStructureKey } from '../formats/dmg/structure.ts';
import type { LuksStructureKey } from '../formats/luks-structure.ts';
import type { ParallelsStructureKey } from '../formats/parallels/structure.ts';
import type { QcowStructureKey } from '../formats/qcow/structure.ts';
import type { Qcow2StructureKey } from '../formats/qcow2/structure-meanings.ts';
import type { QedStructureKey } from '../formats/qed/structure.ts';
import type { GUEST_OFFSET } from '../formats/structure-pointers.ts';
import type { VdiStructureKey } from '../formats/vdi/structure.ts';
import type { VhdxStructureKey } from '../formats/vhdx/structure.ts';
import type { VmdkStructureKey } from '../formats/vmdk/structure.ts';
import type { VpcStructureKey } from '../formats/vpc/structure.ts';

/** Those that every format has, and those of each. */
export interface StructureKeys {
  common: (typeof GUEST_OFFSET)[0];
  bochs: BochsStructureKey;
  cloop: CloopStructureKey;
  dmg: DmgStructureKey;
  luks: LuksStructureKey;
  parallels: ParallelsStructureKey;
  qcow: QcowStructureKey;
  qcow2: Qcow2StructureKey;
  qed: QedStructureKey;
  vdi: VdiStructureKey;
  vhdx: VhdxStructureKey;
  vmdk: VmdkStructureKey;
  vpc: VpcStructureKey;
}

export type StructureKey = StructureKeys[keyof StructureKeys];
