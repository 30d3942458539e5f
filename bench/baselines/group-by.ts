/**
 * The reports of Tally straight from MySQL, with GROUP BY. With INDEXES=own on the indexes that the tables have anyway; with
 * INDEXES=added also on those that an engineer would add for these reports (see `data/dataset.ts`).
 */
import fastify, { type FastifyRequest } from 'fastify';
import type { RowDataPacket } from 'mysql2/promise';
import { openPool, required } from './environment';
import { rangeOf, type ReportQuery } from './report-query';

const pool = openPool();
const own = required('INDEXES') === 'own';
const ORDERS = own ? 'orders o IGNORE INDEX (bench_created_at, bench_user)' : 'orders o';
const ITEMS = own ? 'order_items i IGNORE INDEX (bench_product)' : 'order_items i';

async function rows(sql: string, values: (string | number)[]): Promise<RowDataPacket[]> {
  const [found] = await pool.query<RowDataPacket[]>(sql, values);
  return found;
}

const app = fastify();

app.get('/orders/reports/best-sellers', (request: FastifyRequest<{ Querystring: ReportQuery }>) => {
  const { limit = 10, by = 'quantity' } = request.query;
  const range = rangeOf(request.query);
  const order = by === 'revenue' ? 'revenue' : 'quantity_sold';
  return rows(
    `SELECT t.product_id, p.name, p.sku, t.quantity_sold, t.revenue
       FROM (SELECT i.product_id, SUM(i.quantity) AS quantity_sold, SUM(i.quantity * i.unit_price) AS revenue
               FROM ${ITEMS}
               ${range === undefined ? '' : `JOIN ${ORDERS} ON o.id = i.order_id WHERE o.created_at >= ? AND o.created_at < ?`}
              GROUP BY i.product_id ORDER BY ${order} DESC, i.product_id LIMIT ?) t
       JOIN products p ON p.id = t.product_id
      ORDER BY t.${order} DESC, t.product_id`,
    [...(range ?? []), Number(limit)],
  );
});

app.get('/orders/reports/highest-spenders', (request: FastifyRequest<{ Querystring: ReportQuery }>) =>
  rows(
    `SELECT t.user_id, u.name, t.total_expense, t.orders_count
       FROM (SELECT o.user_id, SUM(o.total_amount) AS total_expense, COUNT(*) AS orders_count
               FROM ${ORDERS}
              GROUP BY o.user_id ORDER BY total_expense DESC, o.user_id LIMIT ?) t
       JOIN users u ON u.id = t.user_id
      ORDER BY t.total_expense DESC, t.user_id`,
    [Number(request.query.limit ?? 10)],
  ),
);

app.get('/orders/reports/summary', async () => {
  const [[orders], [items]] = await Promise.all([
    rows(
      `SELECT COUNT(*) AS orders, SUM(o.total_amount) AS revenue, AVG(o.total_amount) AS average FROM ${ORDERS}`,
      [],
    ),
    rows(`SELECT SUM(i.quantity) AS units FROM ${ITEMS}`, []),
  ]);
  return { ...orders, ...items };
});

app.get('/orders/reports/sales', (request: FastifyRequest<{ Querystring: ReportQuery }>) => {
  const start =
    request.query.interval === 'month' ? "DATE_FORMAT(o.created_at, '%Y-%m')" : 'DATE(o.created_at)';
  return rows(
    `SELECT ${start} AS start, COUNT(*) AS orders, SUM(o.total_amount) AS revenue,
            SUM((SELECT SUM(i.quantity) FROM ${ITEMS} WHERE i.order_id = o.id)) AS units
       FROM ${ORDERS} WHERE o.created_at >= ? AND o.created_at < ? GROUP BY start ORDER BY start`,
    rangeOf(request.query) ?? [],
  );
});

void app.listen({ host: '127.0.0.1', port: Number(required('PORT')) });
