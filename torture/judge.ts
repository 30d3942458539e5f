import { checkAvailability } from './check-availability';
import { checkKeys, checkLog, checkTables } from './check';
import { checkOrders } from './check-orders';
import { checkCommands, checkReads } from './check-reads';
import { dumpRedis } from './redis-dump';
import { answersByLog, checkLost, withoutLost } from './restored';
import { withAdmin, type Stage } from './stage';
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
export async function judge(stage: Stage): Promise<Verdict> {
  const { history, clients } = stage;
  const truth = await withAdmin(stage, (sql) => readTruth(sql));
  const answers = answersByLog(truth, history);
  const reads = answers.map((each) => checkReads(each.truth, each.told));
  const availability = checkAvailability(history);
  const violations = [
    ...history.violations,
    ...checkLog(truth),
    ...checkOrders(
      truth,
      clients.wishes.map((wish) => withoutLost(wish, truth, history)),
    ),
    ...answers.flatMap((each) => checkCommands(each.truth, each.told)),
    ...reads.flatMap(({ faults }) => faults),
    ...checkLost(truth, history),
    ...availability.faults,
  ];
  return {
    truth,
    violations,
    readsChecked: sum(reads.map(({ checked }) => checked)),
    readsExcused: sum(reads.map(({ excused }) => excused)),
    unhindered: availability.judged,
  };
}

/** Compares the log with the tables, and both with Redis, once all is quiet and well again. */
export async function judgeRest({ redis, root }: Stage, truth: Truth): Promise<string[]> {
  return [...checkTables(truth), ...checkKeys(truth, await dumpRedis(redis, root))];
}

function sum(numbers: number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}
