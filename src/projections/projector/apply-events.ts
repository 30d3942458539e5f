import { setTimeout as delay } from 'node:timers/promises';
import { logPositionOf, type LoggedEvent } from '../../domain/events';
import { formatLogPosition, isSameLogPosition, type LogPosition } from '../../domain/log-position';
import { advance, meaningOf } from '../../read-model/advance';
import { FENCE_MS } from '../../read-model/fence';
import type { Keys } from '../../read-model/keys';
import type { Redis } from '../../redis/client';
import { nextBatches, type Batch } from './batch';
import { GenerationLost } from './generation-lost';
import type { RecentHistory } from './recent-history';

/** What it takes to bring events to a generation. */
export interface Applying {
  redis: Redis;
  keys: Keys;
  history: RecentHistory;
  /** The fencing lock that the caller holds, where it does. */
  fenceToken?: string | undefined;
  /** Ends every wait. */
  signal?: AbortSignal | undefined;
}

/** What became of events that were to be applied. */
export type Progress =
  /** Where the generation is: a position of the log's own history, never one that was only read from Redis. */
  | { kind: 'at'; at: LogPosition; applied: number }
  /** The generation is further back than the events: those before them come first. */
  | { kind: 'behind'; applied: number };

const FENCE_PAUSE_MS = 5;
const FENCE_ATTEMPTS = (2 * FENCE_MS) / FENCE_PAUSE_MS;

/**
 * Scripts sent together, so that Redis does not wait for us between them; it carries out all of them before it answers
 * others. Each expects the checkpoint that the one before sets: where one does nothing, none of those behind it does.
 */
const MAX_SCRIPTS = 2;

/**
 * Applies events that follow `base`, in as many scripts as it takes. Stops early where the generation turns out to be
 * further on, because others applied them, or further back. `applied` counts the events that this call applied.
 * @throws GenerationLost
 */
export async function applyEvents(
  applying: Applying,
  base: LogPosition,
  events: LoggedEvent[],
): Promise<Progress> {
  const { redis, keys, history, fenceToken, signal } = applying;
  history.extend(base, events);
  let at = base;
  let applied = 0;
  for (let fencedAttempts = 0; fencedAttempts <= FENCE_ATTEMPTS;) {
    const batches = nextBatches(keys, at, events.slice(at.position - base.position), MAX_SCRIPTS);
    if (batches.length === 0) return { kind: 'at', at, applied };
    const steps = await Promise.all(batches.map((batch) => send(redis, keys, batch, fenceToken)));
    let isFenced = false;
    let isElsewhere = false;
    for (const [index, { batch, meaning }] of steps.entries()) {
      // Whatever those behind it say, they say because this one did nothing.
      if (isFenced || isElsewhere) break;
      switch (meaning.kind) {
        case 'reached':
          at = batch.next;
          if (meaning.by === 'this') applied += batch.events.length;
          break;
        case 'overlap':
        case 'ahead': {
          const known = events[meaning.at.position - base.position - 1];
          const isOurs =
            known === undefined
              ? (await history.held([meaning.at])).length > 0
              : isSameLogPosition(meaning.at, logPositionOf(known));
          if (!isOurs) throw diverged(keys, meaning.at);
          if (known === undefined) return { kind: 'at', at: meaning.at, applied };
          at = meaning.at;
          isElsewhere = true;
          break;
        }
        case 'behind':
          if (index === 0) return { kind: 'behind', applied };
          // Redis had forgotten the script: the step before was sent again, and this one overtook it.
          isElsewhere = true;
          break;
        case 'fenced':
          isFenced = true;
          break;
        case 'out-of-memory':
          throw new Error('Redis is out of memory: give it more, the projector goes on by itself');
        case 'missing':
        case 'diverged':
        case 'broken':
          throw new GenerationLost(meaning.kind, keys, meaning.detail, meaning.detail || 'no checkpoint');
      }
    }
    if (!isFenced) continue;
    fencedAttempts += 1;
    await delay(FENCE_PAUSE_MS, undefined, { signal });
  }
  throw new Error('a repair has held the fencing lock for too long');
}

export function diverged(keys: Keys, at: LogPosition): GenerationLost {
  const text = formatLogPosition(at);
  return new GenerationLost('diverged', keys, text, `MySQL does not have the event ${text}`);
}

async function send(redis: Redis, keys: Keys, batch: Batch, fenceToken: string | undefined) {
  const { expected, next, changes } = batch;
  const answer = await advance(redis, keys, {
    expected: formatLogPosition(expected),
    next: formatLogPosition(next),
    operations: changes.encode(),
    fenceToken,
  });
  return { batch, meaning: meaningOf(answer, expected, next) };
}
