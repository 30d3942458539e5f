import {
  instantAt,
  orderId,
  productId,
  userId,
  type Instant,
  type OrderId,
  type UserId,
} from '../domain/ids';
import { totalOf, type Order, type OrderLine } from '../domain/order';

const NONE = -1;

/**
 * Orders whose lines come in any order, in columns of numbers: V8 keeps 8 bytes of each, so 32 for a line, and about twice
 * as many for an order, where objects take hundreds. Iterating makes one order at a time.
 */
export class OrderColumns implements Iterable<Order> {
  private readonly indexes = new Map<number, number>();
  private readonly ids: number[] = [];
  private readonly userIds: number[] = [];
  /** Milliseconds since 1970. */
  private readonly times: number[] = [];
  /** Index of the line that was added last. */
  private readonly lastLines: number[] = [];

  private readonly productIds: number[] = [];
  private readonly quantities: number[] = [];
  /** Minor units: at most twelve digits. */
  private readonly unitPrices: number[] = [];
  /** Index of the line of the same order that was added before. */
  private readonly previousLines: number[] = [];

  get length(): number {
    return this.ids.length;
  }

  /** The place of an order among all, in the order in which they were added. */
  indexOf(id: OrderId): number | undefined {
    return this.indexes.get(id);
  }

  /** Adds an order that is not there and has no lines yet. */
  add(id: OrderId, userId: UserId, createdAt: Instant): void {
    this.indexes.set(id, this.ids.push(id) - 1);
    this.userIds.push(userId);
    this.times.push(Date.parse(createdAt));
    this.lastLines.push(NONE);
  }

  /** @returns false where there is no such order. */
  addLine(orderId: OrderId, { productId, quantity, unitPrice }: OrderLine): boolean {
    const index = this.indexes.get(orderId);
    if (index === undefined) return false;
    const line = this.productIds.push(productId) - 1;
    this.quantities.push(quantity);
    this.unitPrices.push(Number(unitPrice));
    this.previousLines.push(at(this.lastLines, index));
    this.lastLines[index] = line;
    return true;
  }

  *[Symbol.iterator](): Generator<Order> {
    for (let index = 0; index < this.length; index++) yield this.order(index);
  }

  private order(index: number): Order {
    const lines: OrderLine[] = [];
    for (let line = at(this.lastLines, index); line !== NONE; line = at(this.previousLines, line)) {
      lines.push({
        productId: productId(at(this.productIds, line)),
        quantity: at(this.quantities, line),
        unitPrice: BigInt(at(this.unitPrices, line)),
      });
    }
    return {
      orderId: orderId(at(this.ids, index)),
      userId: userId(at(this.userIds, index)),
      total: totalOf(lines),
      createdAt: instantAt(at(this.times, index)),
      lines: lines.toReversed(),
    };
  }
}

/** A column has a value for every row. */
function at(column: number[], index: number): number {
  const value = column[index];
  if (value === undefined) throw new RangeError(`there is no row ${index}`);
  return value;
}
