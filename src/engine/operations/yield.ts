/** Operations let events in between units of work, so that a cancel is heard within 0.1 s. */
export { heldWork, holdWork, pacer, releaseWork, yieldToEvents } from '../yield.ts';
