/** Applying the rules of the destinations to a file. */
import type { Destination, DestinationId, FileFacts, Judgement, Verdict } from './destination.ts';
import { DESTINATIONS } from './table.ts';

/** What a destination says of a file: all of its reasons, the gravest first. */
export function judge({ id, rules }: Destination, facts: FileFacts): Judgement {
  const reasons: Verdict[] = [];
  for (const rule of rules) {
    const found = rule(facts);
    if (found !== undefined && !reasons.some(({ reason }) => reason === found.reason)) {
      reasons.push(found);
    }
  }
  // A format that is not taken at all needs no more reasons: the others are about what is.
  const wrongFormat = reasons.filter(({ reason, grade }) => reason === 'format' && grade === 'no');
  if (wrongFormat.length > 0) return { id, verdict: 'no', reasons: wrongFormat };
  reasons.sort((a, b) => (a.grade === b.grade ? 0 : a.grade === 'no' ? -1 : 1));
  const [gravest] = reasons;
  return { id, verdict: gravest?.grade ?? 'yes', reasons };
}

/** What every destination says of a file. */
export function judgeAll(facts: FileFacts): Judgement[] {
  return DESTINATIONS.map((destination) => judge(destination, facts));
}

export function destinationOf(id: string): Destination | undefined {
  return DESTINATIONS.find((destination) => destination.id === (id as DestinationId));
}

/**
 * Bytes of the disk that a destination gets: as long as it has to be, never shorter than it is.
 * @param size of the disk, bytes
 */
export function sizeFor({ recipe }: Destination, size: number): number {
  const { sizeMultiple, sizeLeast } = recipe;
  return Math.ceil(Math.max(size, sizeLeast) / sizeMultiple) * sizeMultiple;
}
