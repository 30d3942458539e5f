import type { TallyEvent } from '../domain/events';
import type { Database, Session } from '../mysql/pool';
import { latestEvents, type SubjectKind } from '../mysql/log';
import { lockOrders, markLogged } from '../mysql/tables/orders';
import { keyedIdentity } from './writer/identity';
import { NothingToDo } from './writer/command';
import type { Writer } from './writer/writer';

/**
 * Tells the log what another program did to an order, product or user in MySQL, so that the reports follow. Which state
 * of the log is corrected is part of the command's id: two instances that adopt the same change do it once.
 * @returns whether there was anything to adopt.
 */
export async function adopt(
  writer: Writer,
  database: Database,
  subject: { kind: SubjectKind; id: number },
  now: string,
): Promise<boolean> {
  const { kind, id } = subject;
  const before = (await database.session((session) => latestEvents(session, kind, [id]))).get(id);
  const scope = {
    caller: 'tally',
    route: 'adopt',
    key: `${kind} ${id} after ${before?.commandId ?? 'nothing'}`,
  };
  const { commandId } = keyedIdentity(scope, null);
  const receipt = await writer.executeIfNeeded({
    identity: { commandId, requestHash: null },
    now,
    async write(session) {
      const events = await CORRECTIONS[kind](session, id);
      const after = (await latestEvents(session, kind, [id])).get(id);
      const last = after?.position === before?.position ? events.at(-1) : undefined;
      if (last === undefined) throw new NothingToDo();
      return [...events.slice(0, -1), last];
    },
  });
  return receipt !== undefined;
}

const CORRECTIONS: Record<SubjectKind, (session: Session, id: number) => Promise<TallyEvent[]>> = {
  order: correctOrder,
  product: correctProduct,
  user: correctUser,
};

/** The rows are locked before the log is read, so that no command changes them in between. */
async function correctOrder(session: Session, id: number): Promise<TallyEvent[]> {
  const stored = (await lockOrders(session, [id])).get(id);
  if (stored?.asLogged === true) return [];
  const logged = (await latestEvents(session, 'order', [id])).get(id)?.event;
  const events: TallyEvent[] = [];
  if (logged?.type === 'OrderCreated') events.push({ type: 'OrderDeleted', order: logged.order });
  if (stored !== undefined) {
    await markLogged(session, stored.order);
    events.push({ type: 'OrderCreated', order: stored.order });
  }
  return events;
}

async function correctProduct(session: Session, id: number): Promise<TallyEvent[]> {
  const [row] = await session.rows<{ name: string; sku: string }>(
    'SELECT name, sku FROM products WHERE id = ? FOR UPDATE',
    [id],
  );
  const logged = (await latestEvents(session, 'product', [id])).get(id)?.event;
  if (row === undefined)
    return logged?.type === 'ProductAdded' ? [{ type: 'ProductRemoved', productId: id }] : [];
  const same = logged?.type === 'ProductAdded' && logged.name === row.name && logged.sku === row.sku;
  return same ? [] : [{ type: 'ProductAdded', productId: id, name: row.name, sku: row.sku }];
}

async function correctUser(session: Session, id: number): Promise<TallyEvent[]> {
  const [row] = await session.rows<{ name: string }>('SELECT name FROM users WHERE id = ? FOR UPDATE', [id]);
  const logged = (await latestEvents(session, 'user', [id])).get(id)?.event;
  if (row === undefined)
    return logged?.type === 'UserRegistered' ? [{ type: 'UserRemoved', userId: id }] : [];
  return logged?.type === 'UserRegistered' && logged.name === row.name
    ? []
    : [{ type: 'UserRegistered', userId: id, name: row.name }];
}
