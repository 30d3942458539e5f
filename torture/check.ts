/**
 * The independent checker: what a run's clients were told, against what MySQL and Redis hold in the end. It shares no
 * code with `src/`; formats and sums are spelled out again.
 */
import { isDeepStrictEqual } from 'node:util';
import { expectedKeys } from './plain-model';
import type { RedisDump } from './redis-dump';
import { Replay } from './replay';
import type { Truth } from './truth';

/** More of a kind tell nothing new. */
export const MAX_TOLD = 5;

/** The log has no gap, ends where the head says, and each event can follow those before it. */
export function checkLog({ events, head }: Truth): string[] {
  const faults: string[] = [];
  for (const [index, { position }] of events.entries()) {
    if (position !== index + 1) {
      faults.push(`the log has a gap: event ${index + 1} is missing before ${position}`);
      break;
    }
  }
  const last = events.at(-1);
  if (head.position !== (last?.position ?? 0) || head.eventId !== (last?.eventId ?? null)) {
    faults.push(
      `the head says ${head.position}:${head.eventId}, the log ends at ${last?.position}:${last?.eventId}`,
    );
  }
  const replay = new Replay();
  for (const event of events) faults.push(...replay.apply(event).slice(0, 1));
  if (!isDeepStrictEqual(head.sums, replay.sums())) {
    faults.push(
      `the head counts ${JSON.stringify(head.sums)}, the log adds up to ${JSON.stringify(replay.sums())}`,
    );
  }
  return faults.slice(0, MAX_TOLD);
}

/** Every order's own row says what its lines come to; once everything is reconciled, the log adds up to the tables. */
export function checkTables({ events, shop, rowTotals }: Truth): string[] {
  const replay = new Replay();
  for (const event of events) replay.apply(event);
  const faults = differences(
    'by its tables',
    expectedKeys(shop),
    'by its log',
    expectedKeys(replay.shop()),
  ).map((line) => `MySQL disagrees with itself: ${line}`);
  for (const { id, lines } of shop.orders.values()) {
    const total = lines.reduce((sum, line) => sum + line.quantity * line.unitCents, 0);
    if (rowTotals.get(id) !== total)
      faults.push(`MySQL disagrees with itself: order ${id} costs ${rowTotals.get(id)}, its lines ${total}`);
  }
  return faults.slice(0, MAX_TOLD);
}

/** Whether the read model is what MySQL says, key by key, and there is nothing else. */
export function checkKeys(truth: Pick<Truth, 'shop' | 'head'>, dump: RedisDump): string[] {
  const { position, eventId } = truth.head;
  const { at, begun, ended } = dump.checkpoint;
  const faults: string[] = [];
  if (at !== `${position}:${eventId}`)
    faults.push(`the checkpoint is ${at}, the head of the log ${position}:${eventId}`);
  if (begun !== ended) faults.push(`${begun} writes were begun, ${ended} ended`);
  faults.push(...differences('by MySQL', expectedKeys(truth.shop), 'in Redis', dump.live));
  if (dump.unused.length > 0)
    faults.push(`keys of generations that nobody uses: ${dump.unused.slice(0, 3).join(', ')}`);
  if (dump.unexpected.length > 0)
    faults.push(`keys that nobody knows: ${dump.unexpected.slice(0, 3).join(', ')}`);
  return faults.slice(0, MAX_TOLD);
}

function differences(
  nameA: string,
  a: Record<string, unknown>,
  nameB: string,
  b: Record<string, unknown>,
): string[] {
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return keys
    .filter((key) => !isDeepStrictEqual(sorted(a[key]), sorted(b[key])))
    .slice(0, MAX_TOLD)
    .map((key) => `${key} is ${show(a[key])} ${nameA} and ${show(b[key])} ${nameB}`);
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([x], [y]) => (x < y ? -1 : 1)));
}

function show(value: unknown): string {
  return value === undefined ? 'absent' : JSON.stringify(sorted(value)).slice(0, 400);
}
