/** What is asked of a repair, and what comes of it. */
import type { CheckReport } from '../engine/operations/check-report.ts';
import type { OpenRequest } from './images.ts';

/** What was asked for. */
export interface RepairRequest extends Omit<OpenRequest, 'mode' | 'opener'> {
  /** undefined: only the plan of everything that can be chosen. */
  level: 'leaks' | 'all' | undefined;
  plans: boolean;
  recovers: boolean;
  undo: string | undefined;
  quiet: boolean;
  output: 'human' | 'json';
}

/** What was repaired, and what the check says now. */
export interface Repaired {
  format: string;
  report: CheckReport;
  leaksFixed: number;
  corruptionsFixed: number;
}
