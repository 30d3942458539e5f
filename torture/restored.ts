/**
 * What may be told of a log that a restored backup took the place of. Its last orders are lost, and the promise is about
 * the log that there is now: commands are added to it, a read that asks for a whole position of it is answered from it, and
 * soon every other read, too.
 */
import { describe } from './api';
import { MAX_TOLD } from './check';
import type { Wish } from './clients';
import type { History, LostLog, Operation } from './history';
import type { LogEvent, Truth } from './truth';

/** For so long reads may show orders that are lost: until the read model was rebuilt. */
const LOST_SHOWN_MS = 8000;

type Told = Pick<History, 'operations' | 'lostLogs' | 'damagedIn'>;

export interface AnswersOfLog {
  truth: Truth;
  told: Pick<Told, 'operations' | 'damagedIn'>;
}

/** The log that there is now, and the lost ones, each with what was answered from it. */
export function answersByLog(truth: Truth, history: Told): AnswersOfLog[] {
  const { operations, lostLogs } = history;
  const answers = [truth.events, ...lostLogs.map(({ events }) => events)].map((events) => ({
    truth: { ...truth, events },
    told: { operations: [] as Operation[], damagedIn: history.damagedIn.bind(history) },
  }));
  for (const operation of operations) {
    const index = logOf(operation, truth.events, lostLogs);
    if (index !== undefined) answers[index]?.told.operations.push(operation);
  }
  return answers;
}

/** 0 for the log that there is now, then the lost ones; undefined where that cannot be told. */
function logOf(operation: Operation, events: LogEvent[], lostLogs: LostLog[]): number | undefined {
  if (lostLogs.length === 0) return 0;
  if (operation.eventId !== undefined) {
    if (isLogged(operation, events)) return 0;
    return 1 + lostLogs.findIndex((lost) => isLogged(operation, lost.events));
  }
  // It states a number alone, which several logs may have: the time must tell.
  const index = lostLogs.findIndex(({ endedAt }) => operation.invokedAt <= endedAt + LOST_SHOWN_MS);
  if (index < 0) return 0;
  return operation.endedAt < (lostLogs[index]?.endedAt ?? 0) ? 1 + index : undefined;
}

/** Whether the event that an answer states is in this log. */
export function isLogged({ position, eventId }: Operation, events: LogEvent[]): boolean {
  return eventId !== undefined && position !== undefined && events[position - 1]?.eventId === eventId;
}

/** Nothing is added to a lost log, and it is not shown for long, nor to who asks for what came after it. */
export function checkLost({ events }: Truth, { operations, lostLogs }: Told): string[] {
  const faults: string[] = [];
  for (const operation of operations) {
    if (operation.eventId === undefined || isLogged(operation, events)) continue;
    const lost = lostLogs.findLast((log) => isLogged(operation, log.events));
    if (lost === undefined) continue;
    const { method, invokedAt, minPosition } = operation;
    const mayShow = method === 'GET' && !isPositionIn(minPosition, events) ? LOST_SHOWN_MS : 0;
    if (invokedAt > lost.endedAt + mayShow) {
      faults.push(`an answer from a log that was lost before: ${describe(operation)}`);
    }
  }
  return faults.slice(0, MAX_TOLD);
}

function isPositionIn(minPosition: string | undefined, events: LogEvent[]): boolean {
  const [position, eventId] = minPosition?.split(':') ?? [];
  return eventId !== undefined && events[Number(position) - 1]?.eventId === eventId;
}

/** What was acknowledged, and is not lost. */
export function withoutLost(wish: Wish, { events }: Truth, { lostLogs }: Told): Wish {
  const isKept = (operation: Operation) =>
    isLogged(operation, events) || !lostLogs.some((lost) => isLogged(operation, lost.events));
  return { ...wish, attempts: wish.attempts.filter(isKept), deletions: wish.deletions.filter(isKept) };
}
