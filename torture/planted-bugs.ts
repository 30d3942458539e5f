import type { Edit } from './build';
import type { FaultName } from './faults';

/** A bug of the kind that services of this sort have had, which the checker must catch. */
export interface PlantedBug {
  name: string;
  /** What goes wrong, and for whom. */
  about: string;
  edits: Edit[];
  /** Those under which it shows. */
  faults: FaultName[];
  seconds: number;
}

export const PLANTED_BUGS: PlantedBug[] = [];
