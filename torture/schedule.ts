import { faultOf, type FaultName } from './faults';
import { Random } from './random';

/** A fault that is due. */
export interface Injection {
  /** Since the beginning of the run. */
  atMs: number;
  fault: FaultName;
  /** From which the fault draws whom it hits and how hard. */
  seed: number;
}

/** Of the rounds. */
const SHARE_OF_RARE = 0.25;

/**
 * What happens when, as the seed says. Faults come in rounds of all of `faults`, in another order each time, so that a
 * dear one comes as often as a cheap one; only rare ones are not in every round.
 */
export function scheduleOf(
  seed: number,
  durationMs: number,
  gapMs: number,
  faults: FaultName[],
): Injection[] {
  const random = new Random(seed);
  const injections: Injection[] = [];
  let round: FaultName[] = [];
  for (let atMs = random.int(0, gapMs); atMs < durationMs; atMs += random.int(1, 2 * gapMs)) {
    if (round.length === 0) round = roundOf(faults, random);
    const fault = round.pop();
    if (fault !== undefined) injections.push({ atMs, fault, seed: random.int(0, 0x7fffffff) });
  }
  return injections;
}

function roundOf(faults: FaultName[], random: Random): FaultName[] {
  const isRare = (name: FaultName) => faultOf(name).isRare === true;
  const onlyRare = faults.every(isRare);
  return random.shuffled(faults).filter((name) => onlyRare || !isRare(name) || random.chance(SHARE_OF_RARE));
}
