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

const FIRST_CAPACITY = 1024;
const NONE = -1;

/**
 * Orders whose lines come in any order, in columns of numbers: 32 bytes for each line, and about twice as many for
 * each order, where objects take hundreds. Iterating makes one order at a time.
 */
export class OrderColumns implements Iterable<Order> {
  private readonly indexes = new Map<number, number>();
  private readonly ids = new Column();
  private readonly userIds = new Column();
  /** Milliseconds since 1970. */
  private readonly times = new Column();
  /** Index of the line that was added last. */
  private readonly lastLines = new Column();

  private readonly productIds = new Column();
  private readonly quantities = new Column();
  /** Minor units: at most twelve digits. */
  private readonly unitPrices = new Column();
  /** Index of the line of the same order that was added before. */
  private readonly previousLines = new Column();

  get length(): number {
    return this.ids.length;
  }

  /** The place of an order among all, in the order in which they were added. */
  indexOf(id: OrderId): number | undefined {
    return this.indexes.get(id);
  }

  /** Adds an order that is not there and has no lines yet. */
  add(id: OrderId, userId: UserId, createdAt: Instant): void {
    this.indexes.set(id, this.ids.push(id));
    this.userIds.push(userId);
    this.times.push(Date.parse(createdAt));
    this.lastLines.push(NONE);
  }

  /** @returns false where there is no such order. */
  addLine(orderId: OrderId, { productId, quantity, unitPrice }: OrderLine): boolean {
    const index = this.indexes.get(orderId);
    if (index === undefined) return false;
    const line = this.productIds.push(productId);
    this.quantities.push(quantity);
    this.unitPrices.push(Number(unitPrice));
    this.previousLines.push(this.lastLines.at(index));
    this.lastLines.set(index, line);
    return true;
  }

  *[Symbol.iterator](): Generator<Order> {
    for (let index = 0; index < this.length; index++) yield this.order(index);
  }

  private order(index: number): Order {
    const lines: OrderLine[] = [];
    for (let line = this.lastLines.at(index); line !== NONE; line = this.previousLines.at(line)) {
      lines.push({
        productId: productId(this.productIds.at(line)),
        quantity: this.quantities.at(line),
        unitPrice: BigInt(this.unitPrices.at(line)),
      });
    }
    return {
      orderId: orderId(this.ids.at(index)),
      userId: userId(this.userIds.at(index)),
      total: totalOf(lines),
      createdAt: instantAt(this.times.at(index)),
      lines: lines.toReversed(),
    };
  }
}

/** A list of numbers that grows: eight bytes each. */
class Column {
  private values = new Float64Array(FIRST_CAPACITY);
  length = 0;

  /** @returns the index of the value. */
  push(value: number): number {
    if (this.length === this.values.length) {
      const grown = new Float64Array(2 * this.length);
      grown.set(this.values);
      this.values = grown;
    }
    this.values[this.length] = value;
    return this.length++;
  }

  at(index: number): number {
    const value = index < this.length ? this.values[index] : undefined;
    if (value === undefined) throw new RangeError(`there is no row ${index}`);
    return value;
  }

  set(index: number, value: number): void {
    this.values[index] = value;
  }
}
