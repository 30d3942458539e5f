import { euros } from './catalogue';
import type { PlainOrder, PlainShop } from './plain-model';
import { cents, type LogEvent } from './truth';

interface Figures {
  orders: number;
  units: number;
  revenue: number;
}

/** The log, event by event, and what every report must show there; computed in the plainest way. */
export class Replay {
  private readonly orders = new Map<number, PlainOrder>();
  private readonly products = new Map<number, { name: string; sku: string }>();
  private readonly users = new Map<number, { name: string }>();

  /** @returns what is wrong with an event that comes after those before it. */
  apply({ position, type, payload }: LogEvent): string[] {
    switch (type) {
      case 'OrderCreated': {
        const again = this.orders.has(payload.order_id);
        this.orders.set(payload.order_id, {
          id: payload.order_id,
          userId: payload.user_id,
          createdAt: payload.created_at,
          lines: payload.items.map((item) => ({
            productId: item.product_id,
            quantity: item.quantity,
            unitCents: cents(item.unit_price),
          })),
        });
        return again ? [`event ${position} creates order ${payload.order_id}, which exists`] : [];
      }
      case 'OrderDeleted':
        return this.orders.delete(payload.order_id)
          ? []
          : [`event ${position} deletes order ${payload.order_id}, which does not exist`];
      case 'ProductAdded':
        this.products.set(payload.product_id, { name: payload.name, sku: payload.sku });
        return [];
      case 'ProductRemoved':
        this.products.delete(payload.product_id);
        return [];
      case 'UserRegistered':
        this.users.set(payload.user_id, { name: payload.name });
        return [];
      case 'UserRemoved':
        this.users.delete(payload.user_id);
        return [];
      default:
        return [`event ${position} is of the unknown type ${type}`];
    }
  }

  shop(): PlainShop {
    return { orders: this.orders, products: this.products, users: this.users };
  }

  /** The body that a GET of this path must have; undefined where there is no such thing. */
  answer(path: string): unknown {
    const { pathname, searchParams } = new URL(path, 'http://tally');
    const limit = Number(searchParams.get('limit'));
    switch (pathname) {
      case '/orders/reports/summary': {
        const { orders, units, revenue } = sum([...this.orders.values()]);
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
    const products = new Map<number, { units: number; revenue: number }>();
    for (const { lines } of this.orders.values()) {
      for (const { productId, quantity, unitCents } of lines) {
        const { units, revenue } = products.get(productId) ?? { units: 0, revenue: 0 };
        products.set(productId, { units: units + quantity, revenue: revenue + quantity * unitCents });
      }
    }
    return [...products]
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
    const users = new Map<number, { spent: number; orders: number }>();
    for (const order of this.orders.values()) {
      const { spent, orders } = users.get(order.userId) ?? { spent: 0, orders: 0 };
      users.set(order.userId, { spent: spent + sum([order]).revenue, orders: orders + 1 });
    }
    return [...users]
      .filter(([, { spent }]) => spent !== 0)
      .toSorted(([idA, a], [idB, b]) => b.spent - a.spent || idA - idB)
      .map(([id, { spent, orders }]) => ({
        user_id: id,
        name: this.users.get(id)?.name ?? '',
        total_expense: euros(spent),
        orders_count: orders,
      }));
  }

  private salesByMonth(from: string, to: string) {
    const orders = [...this.orders.values()].filter(({ createdAt }) => createdAt >= from && createdAt < to);
    const intervals: unknown[] = [];
    for (let start = from; start < to; start = nextMonth(start)) {
      const { revenue, ...counts } = sum(
        orders.filter(({ createdAt }) => createdAt.slice(0, 7) === start.slice(0, 7)),
      );
      intervals.push({ start, ...counts, revenue: euros(revenue) });
    }
    const { revenue, ...counts } = sum(orders);
    return { from, to, interval: 'month', ...counts, revenue: euros(revenue), intervals };
  }

  private page(limit: number, userId: number) {
    const ids = [...this.orders.values()]
      .filter((order) => userId === 0 || order.userId === userId)
      .map(({ id }) => id)
      .toSorted((a, b) => b - a);
    const shown = ids.slice(0, limit);
    return {
      orders: shown.map((id) => view(this.orders.get(id) as PlainOrder)),
      next_cursor: ids.length > limit ? String(shown.at(-1)) : null,
    };
  }
}

function sum(orders: PlainOrder[]): Figures {
  const figures: Figures = { orders: orders.length, units: 0, revenue: 0 };
  for (const { quantity, unitCents } of orders.flatMap(({ lines }) => lines)) {
    figures.units += quantity;
    figures.revenue += quantity * unitCents;
  }
  return figures;
}

function view(order: PlainOrder) {
  return {
    order_id: order.id,
    user_id: order.userId,
    total_amount: euros(sum([order]).revenue),
    items_count: order.lines.length,
    items: order.lines.map(({ productId, quantity }) => ({ product_id: productId, quantity })),
    created_at: order.createdAt,
  };
}

function nextMonth(day: string): string {
  const [year = 0, month = 0] = day.split('-').map(Number);
  return new Date(Date.UTC(year, month, 1)).toISOString().slice(0, 10);
}
