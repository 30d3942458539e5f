import { isDeepStrictEqual } from 'node:util';
import { euros } from './catalogue';
import type { PlainOrder, PlainShop } from './plain-model';
import type { LogEvent, LogSums } from './truth';

interface Figures {
  orders: number;
  units: number;
  revenue: number;
}

/**
 * The log, event by event, and what every report must show there. A run has tens of thousands of reads, each at another
 * position: so the figures go along with the events, and a read adds up months, products or users, never orders.
 */
export class Replay {
  private readonly orders = new Map<number, PlainOrder>();
  private readonly products = new Map<number, { name: string; sku: string }>();
  private readonly users = new Map<number, { name: string }>();
  /** Ids of the orders, ascending. */
  private readonly ids: number[] = [];
  private readonly total = nothing();
  private readonly ofMonth = new Map<string, Figures>();
  private readonly ofUser = new Map<number, Figures>();
  private readonly ofProduct = new Map<number, Figures>();

  /** @returns what is wrong with an event that comes after those before it. */
  apply({ position, type, subjectId: id, order, name, sku }: LogEvent): string[] {
    switch (type) {
      case 'OrderCreated': {
        const existed = this.remove(id) !== undefined;
        if (order !== undefined) this.add(order);
        return existed ? [`event ${position} creates order ${id}, which exists`] : [];
      }
      case 'OrderDeleted': {
        const removed = this.remove(id);
        if (removed === undefined) return [`event ${position} deletes order ${id}, which does not exist`];
        return isDeepStrictEqual(removed, order)
          ? []
          : [`event ${position} takes away ${JSON.stringify(order)}; the log had ${JSON.stringify(removed)}`];
      }
      case 'ProductAdded':
        this.products.set(id, { name, sku });
        return [];
      case 'ProductRemoved':
        return this.products.delete(id)
          ? []
          : [`event ${position} removes product ${id}, which does not exist`];
      case 'UserRegistered':
        this.users.set(id, { name });
        return [];
      case 'UserErased':
        this.users.set(id, { name: '[erased]' });
        return [];
      case 'UserRemoved':
        return this.users.delete(id) ? [] : [`event ${position} removes user ${id}, which does not exist`];
      default:
        return [`event ${position} is of the unknown type ${type}`];
    }
  }

  private add(order: PlainOrder): void {
    this.orders.set(order.id, order);
    // Transactions commit in another order than they take their ids, but not by much.
    this.ids.splice(this.ids.findLastIndex((id) => id < order.id) + 1, 0, order.id);
    this.count(order, 1);
  }

  /** @returns the order, where there was one. */
  private remove(id: number): PlainOrder | undefined {
    const order = this.orders.get(id);
    if (order === undefined) return undefined;
    this.orders.delete(id);
    this.ids.splice(this.ids.lastIndexOf(id), 1);
    this.count(order, -1);
    return order;
  }

  private count({ createdAt, userId, lines }: PlainOrder, sign: 1 | -1): void {
    const wholes = [this.total, of(this.ofMonth, createdAt.slice(0, 7)), of(this.ofUser, userId)];
    for (const figures of wholes) figures.orders += sign;
    for (const { productId, quantity, unitCents } of lines) {
      for (const figures of [...wholes, of(this.ofProduct, productId)]) {
        figures.units += sign * quantity;
        figures.revenue += sign * quantity * unitCents;
      }
    }
  }

  shop(): PlainShop {
    return { orders: this.orders, products: this.products, users: this.users };
  }

  /** What the head of the log must say that there is. */
  sums(): LogSums {
    const { orders, units, revenue } = this.total;
    return { orders, products: this.products.size, users: this.users.size, units, revenue };
  }

  /** The body that a GET of this path must have; undefined where there is no such thing. */
  answer(path: string): unknown {
    const { pathname, searchParams } = new URL(path, 'http://tally');
    const limit = Number(searchParams.get('limit'));
    switch (pathname) {
      case '/orders/reports/summary': {
        const { orders, units, revenue } = this.total;
        const average = orders === 0 ? 0 : Math.floor((2 * revenue + orders) / (2 * orders));
        return { orders, units, revenue: euros(revenue), average_order_value: euros(average) };
      }
      case '/orders/reports/best-sellers':
        return this.bestSellers(searchParams.get('by') === 'revenue' ? 'revenue' : 'units').slice(0, limit);
      case '/orders/reports/highest-spenders':
        return this.highestSpenders().slice(0, limit);
      case '/orders/reports/sales':
        return this.salesByMonth(searchParams.get('from') ?? '', searchParams.get('to') ?? '');
      case '/orders':
        return this.page(limit, Number(searchParams.get('user_id')));
      default: {
        const order = this.orders.get(Number(/^\/orders\/(\d+)$/.exec(pathname)?.[1]));
        return order === undefined ? undefined : view(order);
      }
    }
  }

  private bestSellers(by: 'units' | 'revenue') {
    return [...this.ofProduct]
      .filter(([, figures]) => figures[by] !== 0)
      .toSorted(([idA, a], [idB, b]) => b[by] - a[by] || idA - idB)
      .map(([id, { units, revenue }]) => ({
        product_id: id,
        name: this.products.get(id)?.name ?? '',
        sku: this.products.get(id)?.sku ?? '',
        quantity_sold: units,
        revenue: euros(revenue),
      }));
  }

  private highestSpenders() {
    return [...this.ofUser]
      .filter(([, { revenue }]) => revenue !== 0)
      .toSorted(([idA, a], [idB, b]) => b.revenue - a.revenue || idA - idB)
      .map(([id, { revenue, orders }]) => ({
        user_id: id,
        name: this.users.get(id)?.name ?? '',
        total_expense: euros(revenue),
        orders_count: orders,
      }));
  }

  /** `from` and `to` are first days of months. */
  private salesByMonth(from: string, to: string) {
    const sum = nothing();
    const intervals: unknown[] = [];
    for (let start = from; start < to; start = nextMonth(start)) {
      const { orders, units, revenue } = this.ofMonth.get(start.slice(0, 7)) ?? nothing();
      intervals.push({ start, orders, units, revenue: euros(revenue) });
      sum.orders += orders;
      sum.units += units;
      sum.revenue += revenue;
    }
    return { from, to, interval: 'month', ...sum, revenue: euros(sum.revenue), intervals };
  }

  private page(limit: number, userId: number) {
    const shown: PlainOrder[] = [];
    for (let index = this.ids.length - 1; index >= 0 && shown.length <= limit; index--) {
      const order = this.orders.get(this.ids[index] as number) as PlainOrder;
      if (userId === 0 || order.userId === userId) shown.push(order);
    }
    const more = shown.length > limit;
    if (more) shown.pop();
    return { orders: shown.map(view), next_cursor: more ? String(shown.at(-1)?.id) : null };
  }
}

function nothing(): Figures {
  return { orders: 0, units: 0, revenue: 0 };
}

function of<K>(figures: Map<K, Figures>, key: K): Figures {
  const known = figures.get(key);
  if (known !== undefined) return known;
  const fresh = nothing();
  figures.set(key, fresh);
  return fresh;
}

function view(order: PlainOrder) {
  return {
    order_id: order.id,
    user_id: order.userId,
    total_amount: euros(order.lines.reduce((sum, line) => sum + line.quantity * line.unitCents, 0)),
    items_count: order.lines.length,
    items: order.lines.map(({ productId, quantity }) => ({ product_id: productId, quantity })),
    created_at: order.createdAt,
  };
}

function nextMonth(day: string): string {
  const [year = 0, month = 0] = day.split('-').map(Number);
  return new Date(Date.UTC(year, month, 1)).toISOString().slice(0, 10);
}
