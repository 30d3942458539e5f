import { once } from 'node:events';
import { subjectId, type SubjectKind } from '../../domain/events';
import { reconcile, statedBy, type Stated } from '../../domain/reconcile';
import { latestEventsOf, readHead, subjectsWithoutRow, type Head } from '../../mysql/log';
import type { Database } from '../../mysql/pool';
import type { Session } from '../../mysql/session';
import { readOrdersAfter, statedByOrder } from '../../mysql/tables/orders';
import { readProductsAfter, statedByProduct } from '../../mysql/tables/products';
import { readUsersAfter, statedByUser } from '../../mysql/tables/users';

/** Small, so that what a page is made into is gone again before the garbage collector takes it for lasting. */
const PAGE_ROWS = 200;
/** The whole log is read. A page has the bound of every other statement: a connection that has gone dead is noticed soon. */
const WHOLE_LOG_TIMEOUT_MS = 60_000;

/** Something that another program changed in MySQL, and that the log does not say yet. */
export interface OutOfBandChange {
  kind: SubjectKind;
  id: number;
  /** Why the log can never say it, where that is so. */
  irreconcilable?: string;
}

type OnChange = (change: OutOfBandChange) => void;

/** Everything that exists at one position of the log. */
export interface Snapshot {
  /** Where it stands. */
  head: Head;
  /**
   * What exists **as the log states it**, in pages of one kind: first products, then users, then orders. Where another
   * program wrote, changed or deleted something, the log's word counts until it is reconciled, because it is what every
   * later event builds on; `onChange` is told of it.
   */
  pages(onChange?: OnChange): AsyncGenerator<Stated[]>;
}

/** Opens a snapshot for `work`. @throws what the signal was aborted with, at once: MySQL may have gone silent. */
export async function withSnapshot<T>(
  database: Database,
  signal: AbortSignal | undefined,
  work: (snapshot: Snapshot) => Promise<T>,
): Promise<T> {
  const working = database.session(async (session) => {
    await session.beginSnapshot();
    const head = await readHead(session);
    return work({
      head,
      async *pages(onChange = () => undefined) {
        yield* pagesOf(session, head, 'product', onChange);
        yield* pagesOf(session, head, 'user', onChange);
        yield* pagesOf(session, head, 'order', onChange);
      },
    });
  });
  return signal === undefined ? working : Promise.race([working, aborted(signal)]);
}

async function aborted(signal: AbortSignal): Promise<never> {
  if (!signal.aborted) await once(signal, 'abort');
  throw signal.reason;
}

async function* pagesOf(
  session: Session,
  head: Head,
  kind: SubjectKind,
  onChange: OnChange,
): AsyncGenerator<Stated[]> {
  let logged = 0;
  for (let after = 0; ;) {
    const { rows, lastId } = await readPage[kind](session, after);
    if (lastId === undefined) break;
    const asLogged = await statedByLog(session, kind, rows, onChange);
    logged += asLogged.length;
    yield asLogged;
    after = lastId;
  }
  if (logged === head.live[kind]) return;
  // The log says that more exist than have a row.
  const missing = await subjectsWithoutRow(session, kind, WHOLE_LOG_TIMEOUT_MS);
  for (const id of missing) onChange({ kind, id });
  for (let at = 0; at < missing.length; at += PAGE_ROWS) {
    const latest = await session.ask(latestEventsOf(kind, missing.slice(at, at + PAGE_ROWS)));
    yield [...latest.values()].flatMap(({ event }) => statedBy(event) ?? []);
  }
}

/** A row, as the event that would create it. */
interface Row {
  stated: Stated;
  /** Whether the row itself tells that the log says the same. */
  isAsLogged: boolean;
}

/** The rows after an id, and the id after which to go on: undefined at the end. */
interface Page {
  rows: Row[];
  lastId: number | undefined;
}

const readPage: Record<SubjectKind, (session: Session, after: number) => Promise<Page>> = {
  async product(session, after) {
    return pageOf(await readProductsAfter(session, after, PAGE_ROWS), statedByProduct);
  },
  async user(session, after) {
    return pageOf(await readUsersAfter(session, after, PAGE_ROWS), statedByUser);
  },
  async order(session, after) {
    const { orders, lastId } = await readOrdersAfter(session, after, PAGE_ROWS);
    const rows = orders.map((row) => ({ stated: statedByOrder(row), isAsLogged: row.asLogged }));
    return { rows, lastId };
  },
};

/** A page of products or users, whose rows do not tell what the log says. */
function pageOf<R extends { id: number }>(rows: R[], statedByRow: (row: R) => Stated): Page {
  return {
    rows: rows.map((row) => ({ stated: statedByRow(row), isAsLogged: false })),
    lastId: rows.at(-1)?.id,
  };
}

/** What the log says of the subjects of a page. */
async function statedByLog(
  session: Session,
  kind: SubjectKind,
  rows: Row[],
  onChange: OnChange,
): Promise<Stated[]> {
  const ids = rows.flatMap(({ stated, isAsLogged }) => (isAsLogged ? [] : [subjectId(stated)]));
  const latest = await session.ask(latestEventsOf(kind, ids));
  return rows.flatMap(({ stated, isAsLogged }) => {
    if (isAsLogged) return stated;
    const id = subjectId(stated);
    const logged = latest.get(id)?.event;
    const found = reconcile(stated, logged);
    if ('irreconcilable' in found) onChange({ kind, id, irreconcilable: found.irreconcilable });
    else if (found.events.length > 0) onChange({ kind, id });
    return statedBy(logged) ?? [];
  });
}
