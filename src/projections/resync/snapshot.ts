import { isDeepStrictEqual } from 'node:util';
import { subjectId, type Order, type TallyEvent, type Tip } from '../../domain/events';
import { readProductsAfter, readUsersAfter } from '../../mysql/tables/catalogue';
import type { Database, Session } from '../../mysql/pool';
import { latestEvents, readHead, readOrdersWithoutRow, type Head, type SubjectKind } from '../../mysql/log';
import { readOrdersAfter } from '../../mysql/tables/orders';

/** Small, so that what a page is made into is gone again before the garbage collector takes it for lasting. */
const PAGE_ROWS = 200;
/** A snapshot reads page by page, but a page may be slow on a busy server. */
const STATEMENT_TIMEOUT_MS = 60_000;

/** Everything that MySQL says at one position, as the events that would create it. */
export interface Snapshot {
  /** Where it stands. */
  head: Head;
  /** The products and users, in pages; as the log states them, like the orders. */
  catalogue(unadopted?: UnadoptedListener): AsyncGenerator<TallyEvent[]>;
  /**
   * The orders **as the log states them**, in pages. Where another program wrote, changed or deleted an order and that
   * is not adopted yet, the log's content counts, because it is what every later event builds on; `unadopted` is told
   * of the order.
   */
  orders(unadopted?: UnadoptedListener): AsyncGenerator<Order[]>;
}

/** Something that another program changed in MySQL, and that the log does not tell yet. */
export interface Unadopted {
  kind: SubjectKind;
  id: number;
}

type UnadoptedListener = (subject: Unadopted) => void;

/** Opens a snapshot for `work`. */
export async function withSnapshot<T>(
  database: Database,
  work: (snapshot: Snapshot) => Promise<T>,
): Promise<T> {
  return database.session(async (session) => {
    await session.beginSnapshot();
    const head = await readHead(session);
    return work({
      head,
      catalogue: (unadopted = () => undefined) => readCatalogue(session, unadopted),
      orders: (unadopted = () => undefined) => readOrders(session, head, unadopted),
    });
  }, STATEMENT_TIMEOUT_MS);
}

async function* readCatalogue(session: Session, unadopted: UnadoptedListener): AsyncGenerator<TallyEvent[]> {
  for (let after = 0; ;) {
    const rows = await readProductsAfter(session, after, PAGE_ROWS);
    if (rows.length === 0) break;
    const stated = rows.map(({ id, name, sku }) => ({
      type: 'ProductAdded' as const,
      productId: id,
      name,
      sku,
    }));
    yield await asLogged(session, 'product', stated, unadopted);
    after = rows.at(-1)?.id ?? after;
  }
  for (let after = 0; ;) {
    const rows = await readUsersAfter(session, after, PAGE_ROWS);
    if (rows.length === 0) break;
    const stated = rows.map(({ id, name }) => ({ type: 'UserRegistered' as const, userId: id, name }));
    yield await asLogged(session, 'user', stated, unadopted);
    after = rows.at(-1)?.id ?? after;
  }
}

/** What the log says of the subjects of a page of rows, which say `stated`. */
async function asLogged(
  session: Session,
  kind: SubjectKind,
  stated: TallyEvent[],
  unadopted: UnadoptedListener,
): Promise<TallyEvent[]> {
  const latest = await latestEvents(session, kind, stated.map(subjectId));
  return stated.flatMap((event) => {
    const id = subjectId(event);
    const logged = latest.get(id)?.event;
    if (isDeepStrictEqual(logged, event)) return event;
    unadopted({ kind, id });
    return logged?.type === event.type ? logged : [];
  });
}

async function* readOrders(
  session: Session,
  head: Head,
  unadopted: UnadoptedListener,
): AsyncGenerator<Order[]> {
  let logged = 0;
  for (let after = 0; ;) {
    const page = await readOrdersAfter(session, after, PAGE_ROWS);
    if (page.length === 0) break;
    const foreignIds = page.filter((stored) => !stored.asLogged).map(({ order }) => order.orderId);
    for (const id of foreignIds) unadopted({ kind: 'order', id });
    const asLogged = await loggedOrders(session, foreignIds);
    const orders = page.flatMap(({ order, asLogged: same }) =>
      same ? order : (asLogged.get(order.orderId) ?? []),
    );
    logged += orders.length;
    yield orders;
    after = page.at(-1)?.order.orderId ?? after;
  }
  if (logged === head.ordersLive) return;
  const missing = await readOrdersWithoutRow(session);
  for (const id of missing) unadopted({ kind: 'order', id });
  for (let at = 0; at < missing.length; at += PAGE_ROWS) {
    const orders = await loggedOrders(session, missing.slice(at, at + PAGE_ROWS));
    yield [...orders.values()];
  }
}

/** What the log says of these orders; those that it says do not exist are left out. */
async function loggedOrders(session: Session, ids: number[]): Promise<Map<number, Order>> {
  const latest = await latestEvents(session, 'order', ids);
  const orders = new Map<number, Order>();
  for (const [id, { event }] of latest) if (event.type === 'OrderCreated') orders.set(id, event.order);
  return orders;
}

export function tipOfHead({ position, commandId }: Head): Tip {
  return { position, commandId };
}
