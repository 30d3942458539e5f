import { describe } from './api';
import { MAX_TOLD } from './check';
import type { Fault, Side } from './fault';
import { FAULT_NAMES, faultOf, type FaultName } from './faults';
import type { FaultRecord, History, Operation } from './history';

export interface Availability {
  faults: string[];
  /** Requests that nothing may have kept from succeeding. */
  judged: number;
}

/** Every request must succeed that no fault hinders: commands while Redis is away, reads while MySQL is, all after a while. */
export function checkAvailability({
  operations,
  faults,
}: Pick<History, 'operations' | 'faults'>): Availability {
  const told: string[] = [];
  let judged = 0;
  for (const operation of operations) {
    if (operation.disturbed === true || faults.some((fault) => mayHinder(fault, operation, faults))) continue;
    judged += 1;
    if (operation.status === 0 || operation.status >= 500) {
      told.push(`a request failed that nothing hindered: ${describe(operation)}`);
    }
  }
  return { faults: told.slice(0, MAX_TOLD), judged };
}

/** From when on no fault may hinder anything any more; of the history's clock. */
export function calmFrom({ faults }: Pick<History, 'faults'>): number {
  return Math.max(
    0,
    ...faults.map((record) => record.endedAt + Math.max(0, ...Object.values(kindOf(record).hinders ?? {}))),
  );
}

function mayHinder(record: FaultRecord, operation: Operation, faults: FaultRecord[]): boolean {
  const { detail, startedAt, endedAt } = record;
  if (operation.endedAt < startedAt) return false;
  if (detail.startsWith('users ') && !namesOneOf(detail, operation)) return false;
  const [, index] = /^service (\d+)/.exec(detail) ?? [];
  const { hinders = {}, holdsRows } = kindOf(record);
  const isElsewhere = index !== undefined && operation.service !== Number(index);
  return sidesOf(operation).some((side) => {
    if (isElsewhere && !(holdsRows === true && side === 'commands')) return false;
    const ms = hinders[side];
    if (ms === undefined) return false;
    const held =
      side === 'commands' ? [] : faults.filter((other) => kindOf(other).keepsFromBuilding === true);
    const ends = held.flatMap((other) =>
      other.startedAt <= endedAt + ms && other.endedAt >= startedAt ? [other.endedAt] : [],
    );
    return operation.invokedAt <= Math.max(endedAt, ...ends) + ms;
  });
}

function kindOf({ fault }: FaultRecord): Partial<Fault> {
  return isFault(fault) ? faultOf(fault) : {};
}

function sidesOf({ method, minPosition }: Operation): Side[] {
  if (method !== 'GET') return ['commands'];
  return minPosition === undefined ? ['reads'] : ['reads', 'commands', 'positions'];
}

/** Whether a command is an order that needs one of the rows that are locked. */
function namesOneOf(detail: string, { sent }: Operation): boolean {
  const { user_id: user, items = [] } = (sent ?? {}) as Partial<Order>;
  const users = idsAfter('users', detail);
  const products = idsAfter('products', detail);
  return (
    (user !== undefined && users.has(user)) || items.some(({ product_id: product }) => products.has(product))
  );
}

interface Order {
  user_id: number;
  items: { product_id: number }[];
}

function idsAfter(word: string, detail: string): Set<number> {
  const [, list = ''] = new RegExp(`${word} ([\\d, ]+)`).exec(detail) ?? [];
  return new Set(list.split(',').map(Number));
}

function isFault(name: string): name is FaultName {
  return (FAULT_NAMES as string[]).includes(name);
}
