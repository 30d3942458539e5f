/**
 * The reports as they are usually made of order hashes: KEYS finds all orders, HGETALL reads each, and the process adds
 * them up. It reads the hashes that Tally keeps, which are the usual ones; prices of lines are not in them, so there is no
 * ranking by revenue.
 */
import fastify, { type FastifyRequest } from 'fastify';
import { openRedis, required } from './environment';
import { rangeOf, type ReportQuery } from './report-query';

/** Hashes read by one pipeline. */
const PIPELINE = 1000;

const redis = openRedis();
/** What comes before `order:` in a key. */
const root = required('KEY_ROOT');

async function* orders(query: ReportQuery): AsyncGenerator<Record<string, string>> {
  const range = rangeOf(query);
  const keys = await redis.keys(`${root}order:*`);
  for (let at = 0; at < keys.length; at += PIPELINE) {
    const pipeline = redis.pipeline();
    for (const key of keys.slice(at, at + PIPELINE)) pipeline.hgetall(key);
    for (const [error, order] of (await pipeline.exec()) ?? []) {
      if (error) throw error;
      const hash = order as Record<string, string>;
      const createdAt = hash.created_at ?? '';
      if (range === undefined || (createdAt >= range[0] && createdAt < range[1])) yield hash;
    }
  }
}

function linesOf({ items = '' }: Record<string, string>): { productId: string; quantity: number }[] {
  return items.split(';').map((item) => {
    const [product = '', quantity = ''] = item.split(',');
    return {
      productId: product.slice('product_id:'.length),
      quantity: Number(quantity.slice('quantity:'.length)),
    };
  });
}

function add(sums: Map<string, number>, key: string, value: number): void {
  sums.set(key, (sums.get(key) ?? 0) + value);
}

function top(sums: Map<string, number>, limit: number): [id: string, sum: number][] {
  return [...sums].toSorted(([a, x], [b, y]) => y - x || Number(a) - Number(b)).slice(0, limit);
}

const app = fastify();

app.get('/orders/reports/best-sellers', async (request: FastifyRequest<{ Querystring: ReportQuery }>) => {
  const sold = new Map<string, number>();
  for await (const order of orders(request.query)) {
    for (const { productId, quantity } of linesOf(order)) add(sold, productId, quantity);
  }
  return Promise.all(
    top(sold, Number(request.query.limit ?? 10)).map(async ([productId, quantity]) => {
      const { name, sku } = await redis.hgetall(`${root}product:${productId}`);
      return { product_id: Number(productId), name, sku, quantity_sold: quantity };
    }),
  );
});

app.get('/orders/reports/highest-spenders', async (request: FastifyRequest<{ Querystring: ReportQuery }>) => {
  const spent = new Map<string, number>();
  for await (const order of orders({})) add(spent, order.user_id ?? '', Number(order.total_amount));
  return Promise.all(
    top(spent, Number(request.query.limit ?? 10)).map(async ([userId, total]) => {
      const { name } = await redis.hgetall(`${root}user:${userId}`);
      return { user_id: Number(userId), name, total_expense: total.toFixed(2) };
    }),
  );
});

app.get('/orders/reports/summary', async () => {
  let count = 0;
  let units = 0;
  let revenue = 0;
  for await (const order of orders({})) {
    count += 1;
    revenue += Number(order.total_amount);
    for (const { quantity } of linesOf(order)) units += quantity;
  }
  return { orders: count, units, revenue: revenue.toFixed(2) };
});

app.get('/orders/reports/sales', async (request: FastifyRequest<{ Querystring: ReportQuery }>) => {
  const length = request.query.interval === 'month' ? '2024-07'.length : '2024-07-15'.length;
  const revenue = new Map<string, number>();
  for await (const order of orders(request.query)) {
    add(revenue, (order.created_at ?? '').slice(0, length), Number(order.total_amount));
  }
  return [...revenue]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([start, sum]) => ({ start, revenue: sum.toFixed(2) }));
});

void app.listen({ host: '127.0.0.1', port: Number(required('PORT')) });
