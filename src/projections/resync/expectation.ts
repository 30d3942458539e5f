import type { Order, TallyEvent, Tip } from '../../domain/events';
import type { Database } from '../../mysql/pool';
import { latestEvents, readAfter, type Head, type SubjectKind } from '../../mysql/log';
import type { Content, Slice } from '../../read-model/inspect';
import { blockOf, type Keys } from '../../read-model/keys';
import { MemoryModel } from '../../read-model/memory-model';
import type { Operation } from '../../read-model/operations';
import { GenerationLost } from '../projector/applier';
import { orderHash, project } from '../project';

const PAGE_EVENTS = 1000;

/**
 * What a generation should hold at a position: a snapshot of MySQL at P, brought forward by the events after it. The
 * hashes of orders are kept for one page at a time, everything else for the whole run.
 */
export class Expectation {
  readonly model = new MemoryModel();
  /** Where the expectation stands. */
  at: Tip;
  /** The orders of the page that is being compared. */
  private page = new Map<number, Order>();
  /** Orders created or deleted after the snapshot; null: deleted. */
  private readonly since = new Map<number, Order | null>();

  constructor(
    private readonly keys: Keys,
    private readonly database: Database,
    snapshot: Head,
  ) {
    this.at = { position: snapshot.position, commandId: snapshot.commandId };
  }

  /** Adds a part of the snapshot. */
  add(events: TallyEvent[]): void {
    for (const event of events) {
      const operations = project(this.keys, event);
      this.model.apply(this.withoutOrderHash(operations));
      const later = event.type === 'OrderCreated' ? this.since.get(event.order.orderId) : undefined;
      if (later === undefined) continue;
      // Events after the snapshot were faster: the counters add up in any order, but of the lists the last word counts.
      this.model.apply(operations.flatMap(unlisting));
      if (later !== null)
        this.model.apply(project(this.keys, { type: 'OrderCreated', order: later }).filter(isListing));
    }
  }

  /** Their hashes are compared next; all else of them counts from `add` on. */
  beginPage(orders: Order[]): void {
    this.page = new Map(orders.map((order) => [order.orderId, order]));
  }

  endPage(): void {
    this.page.clear();
  }

  /**
   * Projects the events up to `tip`, which must not be before where the expectation stands.
   * @throws GenerationLost where the log does not lead there: the read model is of another history.
   */
  async advanceTo(tip: Tip): Promise<void> {
    while (this.at.position < tip.position) {
      const limit = Math.min(PAGE_EVENTS, tip.position - this.at.position);
      const next = await this.database.session((session) => readAfter(session, this.at, limit));
      if (next.kind === 'foreign' || next.events.length === 0) break;
      for (const { event, position, commandId } of next.events) {
        this.model.apply(this.withoutOrderHash(project(this.keys, event)));
        if (event.type === 'OrderCreated') this.since.set(event.order.orderId, event.order);
        if (event.type === 'OrderDeleted') this.since.set(event.order.orderId, null);
        this.at = { position, commandId };
      }
    }
    if (this.at.position === tip.position && this.at.commandId === tip.commandId) return;
    throw new GenerationLost(
      'foreign',
      this.keys,
      `the log does not lead to ${tip.position}:${tip.commandId}`,
    );
  }

  /** What a slice should hold, where the expectation stands. */
  content(slice: Slice): Content {
    const orderId = this.keys.orderIdOf(slice.key);
    if (orderId === undefined) return this.model.content(slice);
    const order = this.since.has(orderId) ? this.since.get(orderId) : this.page.get(orderId);
    return order ? { type: 'hash', fields: orderHash(order) } : { type: 'none' };
  }

  /** The score that a member of a sorted set should have; null where it should not be there. */
  scoreOf(key: string, member: string): string | null {
    const content = this.model.content({ key, type: 'zset', members: [member] });
    return content.type === 'zset' ? (content.scores.get(member) ?? null) : null;
  }

  /** Whether an order was in the snapshot and still exists: then its hash was compared with its page. */
  existedThroughout(orderId: number): boolean {
    return !this.since.has(orderId) && this.model.inBlock(this.keys.orderBlock(blockOf(orderId)), orderId);
  }

  /**
   * Where the key is about a product or user that has no row, though the log says that it exists, another program deleted
   * the row: then the log's word counts until that is adopted, and what is to be adopted is returned.
   */
  async preferLog(key: string): Promise<{ kind: SubjectKind; id: number } | undefined> {
    const subject = this.keys.catalogueSubjectOf(key);
    if (subject === undefined) return undefined;
    const { kind, id } = subject;
    const latest = await this.database.session((session) =>
      latestEvents(session, kind, [id], this.at.position),
    );
    const event = latest.get(id)?.event;
    const before = JSON.stringify(this.model.content({ key, type: 'hash' }));
    this.model.apply(event === undefined ? [{ kind: 'delete', key }] : project(this.keys, event));
    return JSON.stringify(this.model.content({ key, type: 'hash' })) === before ? undefined : subject;
  }

  private withoutOrderHash(operations: Operation[]): Operation[] {
    return operations.filter(
      ({ kind, key }) => (kind !== 'set-hash' && kind !== 'delete') || this.keys.orderIdOf(key) === undefined,
    );
  }
}

function isListing({ kind }: Operation): boolean {
  return kind === 'add-id' || kind === 'add-to-block';
}

function unlisting(operation: Operation): Operation[] {
  if (operation.kind === 'add-id') return [{ ...operation, kind: 'remove-id' }];
  return operation.kind === 'add-to-block' ? [{ ...operation, kind: 'remove-from-block' }] : [];
}
