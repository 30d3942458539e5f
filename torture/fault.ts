import type { Random } from './random';
import type { Stage } from './stage';

/** Faults that need the same resource take turns. */
type Resource =
  | 'services'
  | 'clock'
  | 'redis'
  | 'mysql'
  | 'redis-links'
  | 'mysql-links'
  | 'command-line'
  | 'rows'
  | 'row-lock';

export interface Fault {
  resource: Resource;
  /** What it does to whom, in the words of the report. */
  about: string;
  /**
   * Does it, and ends it: afterwards only its consequences are left.
   * @returns a detail for the history; undefined where it had nothing to hit, and does not count.
   */
  inject(stage: Stage, random: Random): Promise<string | undefined>;
}
