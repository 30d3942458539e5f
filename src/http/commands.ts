import type { FastifyReply, FastifyRequest } from 'fastify';
import { keyedIdentity, uniqueIdentity, type CommandIdentity } from '../commands/writer/identity';
import type { Receipt } from '../commands/writer/receipts';
import type { TallyEvent } from '../domain/events';

/** Callers are not told apart yet: all share one space of Idempotency-Keys. */
const CALLER = 'anonymous';

/** The identity of the command that a request asks for: that of its Idempotency-Key, or one of its own. */
export function identityOf(request: FastifyRequest): CommandIdentity {
  const key = request.headers['idempotency-key'];
  if (typeof key !== 'string') return uniqueIdentity();
  const route = `${request.method} ${request.routeOptions.url ?? ''}`;
  return keyedIdentity({ caller: CALLER, route, key }, [request.params, jsonSafe(request.body)]);
}

/** A validated body may hold amounts as bigint. */
function jsonSafe(body: unknown): unknown {
  if (typeof body !== 'object' || body === null) return body;
  return Object.fromEntries(
    Object.entries(body).map(([name, value]): [string, unknown] => [
      name,
      typeof value === 'bigint' ? String(value) : value,
    ]),
  );
}

/** What every answer to a command says besides its own content. */
export interface CommandAnswer {
  position: number;
  projected: boolean;
}

/**
 * Waits until the reports contain what a command did, within a bound, and sets the headers that say so.
 */
export async function answerOf(
  reply: FastifyReply,
  receipt: Receipt,
  awaitProjected: (position: number) => Promise<boolean>,
): Promise<CommandAnswer> {
  const { position } = receipt.logged;
  const projected = await awaitProjected(position);
  void reply.header('tally-position', position);
  if (receipt.replayed) void reply.header('idempotent-replayed', 'true');
  return { position, projected };
}

/** The event of a receipt, which its command's type fixes. */
export function eventOf<T extends TallyEvent['type']>(
  receipt: Receipt,
  type: T,
): Extract<TallyEvent, { type: T }> {
  const { event } = receipt.logged;
  if (event.type !== type) throw new Error(`a command left ${event.type} behind instead of ${type}`);
  return event as Extract<TallyEvent, { type: T }>;
}
