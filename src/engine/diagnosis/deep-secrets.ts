/** Finding secrets in bytes that come piece by piece. */
import { Patterns } from '../operations/search-patterns.ts';
import { PlaceList } from './deep-places.ts';
import type { SecretFacts, SecretKind } from './facts.ts';
import { BEFORE, BEHIND, BLOCK, fileAt, SECRET_STARTS, secretAt } from './deep-secret-forms.ts';

/** What was found so far, in the content and in places that nothing uses. */
export class SecretTally {
  readonly #kinds = new Map<SecretKind, SecretFacts & { seen: PlaceList; old: PlaceList }>();

  add(kind: SecretKind, offset: number, length: number, isStale: boolean): void {
    let facts = this.#kinds.get(kind);
    if (facts === undefined) {
      const [seen, old] = [new PlaceList(), new PlaceList()];
      const places = { places: seen.ranges, stalePlaces: old.ranges };
      facts = { kind, count: 0, stale: 0, ...places, seen, old };
      this.#kinds.set(kind, facts);
    }
    facts.count += 1;
    if (isStale) facts.stale += 1;
    (isStale ? facts.old : facts.seen).add(offset, length);
  }

  /** Plain data. */
  facts(): SecretFacts[] {
    return [...this.#kinds.values()].map(({ kind, count, stale, places, stalePlaces }) => ({
      ...{ kind, count, stale, places, stalePlaces },
    }));
  }
}

const PATTERNS = new Patterns(SECRET_STARTS, false);
const NONE = new Uint8Array();

/** Goes through bytes in rising order; what lies across the borders of pieces is found, too. */
export class SecretScanner {
  readonly #tally: SecretTally;
  readonly #isStale: boolean;
  /** The end of what came, and how much of it is decided already. */
  #rest: Uint8Array = NONE;
  #decided = 0;
  /** Where what comes next begins, if nothing is missing between. */
  #next = 0;

  /** @param isStale the bytes lie where the guest does not see them; offsets are those of the file */
  constructor(tally: SecretTally, isStale: boolean) {
    this.#tally = tally;
    this.#isStale = isStale;
  }

  /** @param offset of the bytes; where it is not where the last ones ended, something is missing */
  feed(offset: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (offset !== this.#next) this.flush();
    const start = offset - this.#rest.length;
    const { length: resting } = this.#rest;
    this.#next = offset + bytes.length;
    const first = (Math.ceil(offset / BLOCK) * BLOCK - offset) % BLOCK;
    for (let at = first; at < bytes.length; at += BLOCK) {
      const kind = fileAt(bytes, at);
      if (kind !== undefined) this.#tally.add(kind, offset + at, BLOCK, this.#isStale);
    }
    if (bytes.length <= BEFORE + BEHIND) {
      const joined = join(this.#rest, bytes);
      const until = Math.max(this.#decided, joined.length - BEHIND);
      this.#look(joined, start, this.#decided, until);
      this.#keep(joined, until);
      return;
    }
    if (resting > 0) {
      const joined = join(this.#rest, bytes.subarray(0, BEFORE + BEHIND));
      this.#look(joined, start, this.#decided, resting + BEFORE);
    }
    const until = bytes.length - BEHIND;
    this.#look(bytes, offset, resting > 0 ? BEFORE : 0, until);
    this.#keep(bytes, until);
  }

  /** Nothing comes behind what is there. */
  flush(): void {
    const start = this.#next - this.#rest.length;
    this.#look(this.#rest, start, this.#decided, this.#rest.length);
    this.#rest = NONE;
    this.#decided = 0;
  }

  #keep(bytes: Uint8Array, decided: number): void {
    const from = Math.max(0, decided - BEFORE);
    this.#rest = bytes.slice(from);
    this.#decided = decided - from;
  }

  #look(bytes: Uint8Array, offset: number, from: number, until: number): void {
    PATTERNS.find(bytes, from, until, (at, length) => {
      const secret = secretAt(bytes, at, length);
      if (secret !== undefined) {
        this.#tally.add(secret.kind, offset + at, secret.length, this.#isStale);
      }
      return true;
    });
  }
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
