import type { EventOf, TallyEvent } from '../../domain/events';
import type { OrderId } from '../../domain/ids';
import { isSameLogPosition, type LogPosition } from '../../domain/log-position';
import type { Order } from '../../domain/order';
import { readAfter } from '../../mysql/log';
import type { Database } from '../../mysql/pool';
import { blockOf, type Keys } from '../../read-model/keys';
import { MemoryModel } from '../../read-model/memory-model';
import type { Content, Slice } from '../../read-model/slices';
import { orderHash, project } from '../project';
import { diverged } from '../projector/apply-events';

const PAGE_EVENTS = 1000;

/**
 * What a generation should hold at a position: a snapshot of MySQL, brought forward by the events after it. The snapshot may
 * be added page by page while events are projected already: amounts add up in any order, and so do lists. Hashes do not, so
 * products and users must all be added before the first event; the hashes of orders are kept for one page at a time.
 */
export class Expectation {
  readonly model = new MemoryModel();
  /** The orders of the page that is being compared. */
  private page = new Map<OrderId, Order>();
  /** Orders created or deleted after the snapshot; null: deleted. */
  private readonly since = new Map<OrderId, Order | null>();

  constructor(
    private readonly keys: Keys,
    private readonly database: Database,
    /** Where the expectation stands: first, where the snapshot does. */
    public at: LogPosition,
  ) {}

  add(event: TallyEvent): void {
    for (const operation of project(this.keys, event)) {
      if (operation.kind === 'hash' && this.keys.orderIdOf(operation.key) !== undefined) continue;
      this.model.add(operation);
    }
  }

  /** Their hashes are compared next; all else of them counts from `add` on. */
  beginPage(events: EventOf<'OrderCreated'>[]): void {
    this.page = new Map(events.map(({ order }) => [order.orderId, order]));
  }

  /**
   * Projects the events up to a position, which must not be before where the expectation stands.
   * @throws GenerationLost where the log does not lead there: the generation is of another history.
   */
  async advanceTo(target: LogPosition): Promise<void> {
    while (this.at.position < target.position) {
      const limit = Math.min(PAGE_EVENTS, target.position - this.at.position);
      const next = await this.database.session((session) => readAfter(session, this.at, limit));
      if (next.kind === 'diverged' || next.events.length === 0) break;
      for (const { event, position, eventId } of next.events) {
        this.add(event);
        if (event.type === 'OrderCreated') this.since.set(event.order.orderId, event.order);
        if (event.type === 'OrderDeleted') this.since.set(event.order.orderId, null);
        this.at = { position, eventId };
      }
    }
    if (!isSameLogPosition(this.at, target)) throw diverged(this.keys, target);
  }

  /** How a key should be looked at, whole, where the expectation stands. */
  sliceOf(key: string): Slice {
    if (this.keys.orderIdOf(key) === undefined) return this.model.sliceOf(key);
    const content = this.content({ key, type: 'none' });
    return content.type === 'hash'
      ? { key, type: 'hash', names: Object.keys(content.fields) }
      : { key, type: 'none' };
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
    const content = this.model.content({ key, type: 'zset', names: [member] });
    return content.type === 'zset' ? (content.scores.get(member) ?? null) : null;
  }

  /** Whether a key is the hash of an order that was in the snapshot and still exists: it was compared with its page. */
  isOfPage(key: string): boolean {
    const orderId = this.keys.orderIdOf(key);
    if (orderId === undefined || this.since.has(orderId)) return false;
    return this.model.isInBlock(this.keys.orderBlock(blockOf(orderId)), orderId);
  }
}
