import { setTimeout as delay } from 'node:timers/promises';
import { forgetDivergence } from './damage';
import type { FaultName } from './faults';
import { heal } from './healing';
import { inject } from './inject';
import { judge } from './judge';
import { Random } from './random';
import type { RunOptions } from './run';
import type { Servers } from './servers';
import { ready, setStage, type Stage } from './stage';

type Options = Pick<RunOptions, 'seed' | 'faults' | 'clients'> & { rounds: number };

/** For each round, until a fault hits something: this machine may not allow it at all. */
const MAX_ATTEMPTS = 10;

/**
 * Each fault alone, `rounds` times under load. `told` gets the times until all was well again, in milliseconds.
 * @returns what was wrong.
 */
export async function measureHealing(
  servers: Servers,
  build: string,
  { seed, rounds, faults, clients: count }: Options,
  told: (fault: FaultName, times: number[]) => void,
): Promise<string[]> {
  const stage = await setStage(servers, build);
  stage.repairsDamage = false; // the question is how long the scheduled verification takes
  try {
    const { clients } = stage;
    await clients.fillCatalogue();
    const random = new Random(seed);
    clients.start(count, random.fork());
    for (const name of faults) {
      const times: number[] = [];
      for (let attempt = 1; times.length < rounds && attempt <= rounds * MAX_ATTEMPTS; attempt++) {
        clients.resume();
        await delay(500);
        if (!(await inject(stage, name, random.fork()))) continue;
        clients.pause();
        times.push(await heal(stage, random));
        if (name === 'mysql-restored') await startAnew(stage);
        for (const window of stage.history.damage) window.to = Math.min(window.to, stage.history.now());
      }
      told(name, times);
    }
    await clients.stop();
    return (await judge(stage)).violations;
  } finally {
    await stage.close();
  }
}

/** A service that sees two other histories within a minute takes them for a copy of the database, and stops rebuilding. */
async function startAnew(stage: Stage): Promise<void> {
  const { services } = stage;
  await Promise.all(services.map((service) => service.terminate()));
  for (const service of services) service.start();
  await Promise.all(services.map((service) => ready(service)));
  forgetDivergence(stage);
}
