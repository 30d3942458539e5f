import { setTimeout as delay } from 'node:timers/promises';
import { checkKeys } from './check';
import type { Random } from './random';
import { dumpRedis } from './redis-dump';
import { repairByHand, verifyByHand } from './resync-by-hand';
import type { Stage } from './stage';
import { readTruth } from './truth';

/** After the last fault, the read model must be whole again within this time. */
export const HEAL_WITHIN_MS = 30_000;
const SWEEP_ATTEMPTS = 60;
const SWEEP_PAUSE_MS = 500;

/** Waits until every service takes orders and shows them, and every key is right. @returns how long it took. */
export async function heal(stage: Stage, random: Random, withinMs = HEAL_WITHIN_MS): Promise<number> {
  const { clients, history } = stage;
  const beganAt = history.now();
  const isOverdue = () => history.now() - beganAt > withinMs;
  for (const service of stage.services) {
    for (;;) {
      if (await clients.orderAndRead(random, service)) break;
      if (isOverdue()) {
        history.violated(`service ${service.index} does not take orders again, or does not show them`);
        return Math.round(history.now() - beganAt);
      }
      await delay(20);
    }
  }
  const sql = await stage.connect();
  try {
    for (;;) {
      const truth = await readTruth(sql, Number.MAX_SAFE_INTEGER);
      const wrong = checkKeys(truth, await dumpRedis(stage.redis, stage.root));
      if (wrong.length === 0) break;
      if (isOverdue()) {
        history.violated(`the read model did not become right again: ${wrong.join('; ')}`);
        break;
      }
      await delay(20);
    }
  } finally {
    sql.destroy();
  }
  return Math.round(history.now() - beganAt);
}

/**
 * Lets a last repair reconcile what other programs did, and waits until only the live generation is left. Then Tally's own
 * verification must find nothing.
 */
export async function sweep(stage: Stage): Promise<void> {
  const { history, redis, root } = stage;
  for (let attempt = 1; (await repairByHand(stage)).code !== 0; attempt++) {
    if (attempt === SWEEP_ATTEMPTS) {
      history.violated('repair did not succeed after the run');
      return;
    }
    await delay(SWEEP_PAUSE_MS); // a service is at it
  }
  for (let attempt = 1; ; attempt++) {
    const { unused } = await dumpRedis(redis, root);
    if (unused.length === 0) break;
    if (attempt === SWEEP_ATTEMPTS) {
      history.violated(`old generations were not collected: ${unused.slice(0, 3).join(', ')}`);
      return;
    }
    await delay(SWEEP_PAUSE_MS);
  }
  const { code, output } = await verifyByHand(stage);
  if (code !== 0) history.violated(`tally verify, after the run: exit ${code}: ${output}`);
}
