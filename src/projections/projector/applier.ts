import { setTimeout as delay } from 'node:timers/promises';
import { parseTip, tipOf, type LoggedEvent, type Tip } from '../../domain/events';
import type { Database } from '../../mysql/pool';
import { readAfter, readHead, type Head } from '../../mysql/log';
import type { Keys } from '../../read-model/keys';
import { apply, readAppliedTip, type ScriptedRedis } from '../../read-model/scripts';
import { nextBatches } from './batch';

/** Why a generation cannot be kept up any more: it must be rebuilt. */
export type LossReason = 'missing' | 'foreign' | 'broken';

/** The generation is lost; nothing can be applied to it. */
export class GenerationLost extends Error {
  override readonly name = 'GenerationLost';

  constructor(
    readonly reason: LossReason,
    readonly keys: Keys,
    detail: string,
  ) {
    super(`generation ${keys.generation} is lost (${reason}): ${detail}`);
  }
}

/** How often, and for how long in all, a batch waits while a repair holds the fence. */
const FENCE_PAUSE_MS = 5;
const FENCE_ATTEMPTS = 2000;

/** Events read from MySQL at a time. */
const PAGE_EVENTS = 1000;

/** Where a generation stands after something was applied to it, or was found applied. */
export interface Progress {
  /** Where the read model is now. */
  applied: Tip;
  /** Events that this call applied. */
  appliedEvents: number;
}

/**
 * Scripts sent together, so that Redis does not wait for us between them; it carries out all of them before it answers
 * others. Each is chained to the one before by its tips: where one is not carried out, none of those behind it is.
 */
const MAX_SCRIPTS = 2;

/**
 * Applies events that follow `base`, in as many scripts as it takes. Stops early where the read model turns out to be
 * somewhere else: further on (others applied them) or further back; the caller looks at `applied` and goes on from there.
 * @throws GenerationLost
 */
export async function applyEvents(
  redis: ScriptedRedis,
  keys: Keys,
  base: Tip,
  events: LoggedEvent[],
  fenceToken?: string,
): Promise<Progress> {
  let at = base;
  let appliedEvents = 0;
  let fencedAttempts = 0;
  for (;;) {
    const batches = nextBatches(keys, at, events.slice(at.position - base.position), MAX_SCRIPTS);
    if (batches.length === 0) return { applied: at, appliedEvents };
    const outcomes = await Promise.all(
      batches.map(async (batch) => ({ batch, ...(await apply(redis, keys, batch, fenceToken)) })),
    );
    let fenced = false;
    for (const { batch, status, detail } of outcomes) {
      switch (status) {
        case 'applied':
          at = batch.next;
          appliedEvents += batch.events.length;
          break;
        case 'already':
        case 'overlap': {
          const applied = tipFrom(detail, keys);
          const known = events[applied.position - base.position - 1];
          if (known === undefined) return { applied, appliedEvents }; // beyond what we were given
          if (known.commandId !== applied.commandId) {
            throw new GenerationLost('foreign', keys, `${detail} is not the event that MySQL has there`);
          }
          at = tipOf(known);
          break;
        }
        case 'behind':
          if (fenced) break; // because the one before was not carried out
          return { applied: tipFrom(detail, keys), appliedEvents };
        case 'fenced':
          fenced = true;
          break;
        case 'oom':
          throw new Error('Redis is out of memory: give it more, the projector goes on by itself');
        case 'missing':
        case 'foreign':
        case 'broken':
          throw new GenerationLost(status, keys, detail);
      }
    }
    if (!fenced) continue;
    if (++fencedAttempts > FENCE_ATTEMPTS) throw new Error('a repair has held the fence for too long');
    await delay(FENCE_PAUSE_MS);
  }
}

/** The tip that a generation has applied. @throws GenerationLost where it has none. */
export async function readApplied(redis: ScriptedRedis, keys: Keys): Promise<Tip> {
  const applied = await readAppliedTip(redis, keys);
  if (applied === null) throw new GenerationLost('missing', keys, 'it has no applied, or half a write');
  return tipFrom(applied, keys);
}

export interface CaughtUp extends Progress {
  head: Head;
}

export interface CatchUpOptions {
  shouldStop?: () => boolean;
  /** Told before every page, and of the oldest event in it. */
  onProgress?: (state: CaughtUp, oldest: LoggedEvent | undefined) => void | Promise<void>;
  /** The fence that the caller holds, if so. */
  fenceToken?: string | undefined;
}

/**
 * Reads on from what a generation has applied, and applies it, until there is nothing left to read or `shouldStop`.
 * @throws GenerationLost
 */
export async function catchUp(
  redis: ScriptedRedis,
  database: Database,
  keys: Keys,
  options: CatchUpOptions = {},
): Promise<CaughtUp> {
  let applied = await readApplied(redis, keys);
  let appliedEvents = 0;
  for (;;) {
    const { head, continuation } = await database.session(async (session) => ({
      head: await readHead(session),
      continuation: await readAfter(session, applied, PAGE_EVENTS),
    }));
    if (continuation.kind === 'foreign') {
      // Read again: perhaps the generation was flipped or restored while we looked.
      const now = await readApplied(redis, keys);
      if (now.position === applied.position && now.commandId === applied.commandId) {
        throw new GenerationLost(
          'foreign',
          keys,
          `MySQL does not have the event ${applied.position}:${applied.commandId}`,
        );
      }
      applied = now;
      continue;
    }
    const [oldest] = continuation.events;
    await options.onProgress?.({ applied, appliedEvents, head }, oldest);
    if (oldest === undefined) return { applied, appliedEvents, head };
    const progress = await applyEvents(redis, keys, applied, continuation.events, options.fenceToken);
    applied = progress.applied;
    appliedEvents += progress.appliedEvents;
    if (options.shouldStop?.() === true) return { applied, appliedEvents, head };
  }
}

function tipFrom(text: string, keys: Keys): Tip {
  const tip = parseTip(text);
  if (tip === undefined)
    throw new GenerationLost('foreign', keys, `applied is ${JSON.stringify(text)}, which is not a tip`);
  return tip;
}
