/** Rules: health. What a check found, in which state the image is, and what its content says. */
import type { Rules } from '../rule.ts';
import { CHECKED_RULES, type CheckedValues } from './health-check.ts';
import { GUEST_RULES, type GuestValues } from './health-guest.ts';
import { STATE_RULES, type StateValues } from './health-state.ts';

/** The codes, stable, with what each speaks of. */
export interface HealthValues extends CheckedValues, StateValues, GuestValues {}

export const HEALTH_RULES: Rules<HealthValues> = {
  ...STATE_RULES,
  ...CHECKED_RULES,
  ...GUEST_RULES,
};
