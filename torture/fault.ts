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

/**
 * Commands need MySQL, reads need Redis. A read that asks for a position needs both, and that events get from one to the
 * other: positions are these reads alone.
 */
export type Side = 'commands' | 'reads' | 'positions';

export interface Fault {
  resource: Resource;
  /** What it does to whom, in the words of the report. */
  about: string;
  /**
   * What may fail while it lasts, and for how many milliseconds after its end: all else must succeed. A fault whose
   * detail begins with `service N` hinders only the requests to that service; one that begins with `users N, M; products
   * O, P` only the orders that name one of those.
   */
  hinders?: Partial<Record<Side, number>>;
  /** Whether whom it hits may go on holding rows in MySQL, for which the commands of every service wait. */
  holdsRows?: true;
  /** Whether no read model can be built while it lasts: one that was lost before stays so, and reads with it. */
  keepsFromBuilding?: true;
  /** It takes so long that it comes in few of the rounds. */
  isRare?: true;
  /**
   * Does it, and ends it: afterwards only its consequences are left.
   * @returns a detail for the history; undefined where it had nothing to hit, and does not count.
   */
  inject(stage: Stage, random: Random): Promise<string | undefined>;
}
