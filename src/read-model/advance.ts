import { z } from 'zod';
import { parseLogPosition, type LogPosition } from '../domain/log-position';
import { isOutOfMemory, type Redis } from '../redis/client';
import { loadScript } from '../redis/script';
import { FENCE_MS } from './fence';
import type { Keys } from './keys';

const script = loadScript(__dirname, ['checkpoint', 'fence-state', 'operations', 'advance']);

const answer = z.tuple([z.enum(['advanced', 'elsewhere', 'missing', 'fenced', 'broken']), z.string()]);

/** What `advance.lua` said; its header says which status means what. Redis itself says that its memory is full. */
export interface Advance {
  status: z.output<typeof answer>[0] | 'out-of-memory';
  /** Where the checkpoint is, or why an operation failed. */
  detail: string;
}

export interface Step {
  /** What the checkpoint must be, as text: a log position, or the state of filling. */
  expected: string;
  /** What it will be. A repair stays where it is. */
  next: string;
  /** Operations as `Changes` and `repairOf` encode them. */
  operations: string;
  /** The token of the fencing lock, where the caller holds it. */
  fenceToken?: string | undefined;
}

/** Changes the data of a generation together with its checkpoint, if the checkpoint is what is expected. */
export async function advance(redis: Redis, keys: Keys, step: Step): Promise<Advance> {
  const { expected, next, operations, fenceToken = '' } = step;
  try {
    const reply = await script.run(
      redis,
      [keys.checkpoint],
      [expected, next, fenceToken, FENCE_MS, operations],
    );
    const [status, detail] = answer.parse(reply);
    return { status, detail };
  } catch (error) {
    if (isOutOfMemory(error)) return { status: 'out-of-memory', detail: 'Redis is out of memory' };
    throw error;
  }
}

/** What an answer means to whoever brings the events after `expected` up to `next`. */
export type Meaning =
  /** The checkpoint is at `next`, by this call or by an earlier one whose answer was lost, or by another instance. */
  | { kind: 'reached'; by: 'this' | 'others' }
  /** The checkpoint is on the way to `next`: others brought the first part. */
  | { kind: 'overlap'; at: LogPosition }
  /** The checkpoint is beyond `next`. Of this history or of another: look its identity up in the log. */
  | { kind: 'ahead'; at: LogPosition }
  | { kind: 'behind'; at: LogPosition }
  | { kind: 'fenced' }
  | { kind: 'out-of-memory' }
  /** The generation is lost. `diverged`: its checkpoint is of another history. */
  | { kind: 'missing' | 'diverged' | 'broken'; detail: string };

/** Pure: what the answer to a step between two log positions means. */
export function meaningOf({ status, detail }: Advance, expected: LogPosition, next: LogPosition): Meaning {
  switch (status) {
    case 'advanced':
      return { kind: 'reached', by: 'this' };
    case 'fenced':
    case 'out-of-memory':
      return { kind: status };
    case 'missing':
    case 'broken':
      return { kind: status, detail };
    case 'elsewhere':
      return meaningOfPlace(detail, expected, next);
  }
}

function meaningOfPlace(text: string, expected: LogPosition, next: LogPosition): Meaning {
  const at = parseLogPosition(text);
  // No position of any history: edited by hand, or being filled.
  if (at === undefined) return { kind: 'missing', detail: text };
  if (at.position === expected.position) return { kind: 'diverged', detail: text };
  if (at.position < expected.position) return { kind: 'behind', at };
  if (at.position < next.position) return { kind: 'overlap', at };
  if (at.position > next.position) return { kind: 'ahead', at };
  return at.eventId === next.eventId ? { kind: 'reached', by: 'others' } : { kind: 'diverged', detail: text };
}
