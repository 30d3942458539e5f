import { checkAvailability } from './check-availability';
import { checkKeys, checkLog, checkTables } from './check';
import { checkOrders } from './check-orders';
import { checkCommands, checkReads } from './check-reads';
import type { Clients } from './clients';
import { dumpRedis } from './redis-dump';
import type { Stage } from './stage';
import { readTruth, type Truth } from './truth';

export interface Verdict {
  truth: Truth;
  violations: string[];
  readsChecked: number;
  readsExcused: number;
  /** Requests that nothing may have kept from succeeding. */
  unhindered: number;
}

/** Compares what the clients were told with the log, at any time. */
export async function judge(stage: Stage, clients: Clients): Promise<Verdict> {
  const { history } = stage;
  const truth = await truthOf(stage);
  const { faults, checked, excused } = checkReads(truth, history);
  const availability = checkAvailability(history);
  const violations = [
    ...history.violations,
    ...checkLog(truth),
    ...checkOrders(truth, clients.wishes),
    ...checkCommands(truth, history),
    ...faults,
    ...availability.faults,
  ];
  return { truth, violations, readsChecked: checked, readsExcused: excused, unhindered: availability.judged };
}

/** Compares the log with the tables, and both with Redis, once all is quiet and well again. */
export async function judgeRest({ redis, root }: Stage, truth: Truth): Promise<string[]> {
  return [...checkTables(truth), ...checkKeys(truth, await dumpRedis(redis, root))];
}

export async function truthOf(stage: Stage): Promise<Truth> {
  const sql = await stage.connect();
  return readTruth(sql).finally(() => sql.destroy());
}
