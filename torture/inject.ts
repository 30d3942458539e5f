import { faultOf, type FaultName } from './faults';
import type { Random } from './random';
import type { Stage } from './stage';

/** Injects a fault, and takes down when and where. @returns whether it hit something. */
export async function inject(stage: Stage, fault: FaultName, random: Random): Promise<boolean> {
  const { history } = stage;
  const startedAt = history.now();
  const detail = await faultOf(fault)
    .inject(stage, random)
    .catch((error: unknown) => {
      // It met another fault: the server that it needs is away. It is not counted.
      history.notes.push(`${fault}: ${String(error)}`);
      return undefined;
    });
  const missed = detail === undefined;
  history.faults.push({ fault, detail: detail ?? 'missed', startedAt, endedAt: history.now(), missed });
  return !missed;
}
