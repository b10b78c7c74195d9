/** What structures mean: the nodes bring the English sentences along. */
import type { StructureKey } from '../../worker/api-view.ts';

export type StructuresText = Readonly<Partial<Record<StructureKey, string>>>;

export const enStructures: StructuresText = {};
