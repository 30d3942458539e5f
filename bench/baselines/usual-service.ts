import fastify from 'fastify';
import { validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import type { ChainableCommander } from 'ioredis';
import type { PoolConnection, ResultSetHeader, RowDataPacket } from 'mysql2/promise';
import { z } from 'zod';
import { openPool, openRedis, required } from './environment';
import type { Sale } from './usual-keys';

const id = z.int().positive();
const newOrder = z.strictObject({
  user_id: id,
  items: z
    .array(z.strictObject({ product_id: id, quantity: z.int().min(1).max(1_000_000) }))
    .min(1)
    .max(100),
});
const idParams = z.strictObject({ id: z.coerce.number().int().positive() });
const topQuery = z.strictObject({ limit: z.coerce.number().int().min(1).max(100).default(10) });
type NewOrder = z.output<typeof newOrder>;

class Refused extends Error {
  constructor(
    readonly statusCode: number,
    message: string,
  ) {
    super(message);
  }
}

/** Adds the Redis commands of an order that was created (1) or deleted (-1). */
type Project = (pipeline: ChainableCommander, sale: Sale, sign: 1 | -1) => void;

/** The service of the usual design: pooled, prepared, pipelined. `project` says which keys it keeps. */
export async function serveUsual(project: Project): Promise<void> {
  const pool = openPool();
  const redis = openRedis();

  async function inTransaction<T>(work: (connection: PoolConnection) => Promise<T>): Promise<T> {
    const connection = await pool.getConnection();
    try {
      await connection.beginTransaction();
      const result = await work(connection);
      await connection.commit();
      return result;
    } catch (error) {
      await connection.rollback();
      throw error;
    } finally {
      connection.release();
    }
  }

  async function toRedis(sale: Sale, sign: 1 | -1): Promise<void> {
    const pipeline = redis.pipeline();
    project(pipeline, sale, sign);
    for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error;
  }

  const app = fastify().withTypeProvider<ZodTypeProvider>();
  app.setValidatorCompiler(validatorCompiler);

  app.post('/orders', { schema: { body: newOrder } }, async (request, reply) => {
    const sale = await inTransaction((connection) => insertOrder(connection, request.body));
    await toRedis(sale, 1);
    return reply
      .code(201)
      .header('location', `/orders/${sale.orderId}`)
      .send({
        order_id: sale.orderId,
        user_id: sale.userId,
        total_amount: (sale.total / 100).toFixed(2),
        items_count: sale.lines.length,
        created_at: sale.createdAt,
      });
  });

  app.delete('/orders/:id', { schema: { params: idParams } }, async (request) => {
    const sale = await inTransaction((connection) => deleteOrder(connection, request.params.id));
    await toRedis(sale, -1);
    return { order_id: sale.orderId, deleted: true };
  });

  app.get('/orders/:id', { schema: { params: idParams } }, async (request) => {
    const order = await redis.hgetall(`order:${request.params.id}`);
    if (order.id === undefined) throw new Refused(404, 'there is no such order');
    const items = (order.items ?? '').split(';').map((item) => {
      const [, productId, quantity] = /product_id:(\d+),quantity:(\d+)/.exec(item) ?? [];
      return { product_id: Number(productId), quantity: Number(quantity) };
    });
    return { ...order, id: Number(order.id), user_id: Number(order.user_id), items };
  });

  app.get('/orders/reports/best-sellers', { schema: { querystring: topQuery } }, async (request) => {
    const top = await redis.zrevrange('products:sold', 0, request.query.limit - 1, 'WITHSCORES');
    const ids = top.filter((_, index) => index % 2 === 0);
    const revenue = ids.length === 0 ? [] : await redis.zmscore('products:revenue', ...ids);
    return ids.map((productId, index) => ({
      product_id: Number(productId),
      quantity_sold: Number(top[2 * index + 1]),
      revenue: (Number(revenue[index]) / 100).toFixed(2),
    }));
  });

  await app.listen({ host: '127.0.0.1', port: Number(required('PORT')) });
}

async function insertOrder(connection: PoolConnection, order: NewOrder): Promise<Sale> {
  const [users] = await connection.execute<RowDataPacket[]>('SELECT id FROM users WHERE id = ?', [
    order.user_id,
  ]);
  if (users.length === 0) throw new Refused(422, 'there is no such user');
  const ids = [...new Set(order.items.map((item) => item.product_id))];
  const [products] = await connection.execute<(RowDataPacket & { id: number; price: string })[]>(
    `SELECT id, price FROM products WHERE id IN (${ids.map(() => '?').join(', ')})`,
    ids,
  );
  const prices = new Map(products.map((product) => [product.id, Math.round(Number(product.price) * 100)]));
  const lines = order.items.map((item) => {
    const priceMinor = prices.get(item.product_id);
    if (priceMinor === undefined) throw new Refused(422, 'there is no such product');
    return { productId: item.product_id, quantity: item.quantity, priceMinor };
  });
  const total = lines.reduce((sum, { quantity, priceMinor }) => sum + quantity * priceMinor, 0);
  const createdAt = new Date().toISOString();
  const [{ insertId: orderId }] = await connection.execute<ResultSetHeader>(
    'INSERT INTO orders (user_id, total_amount, created_at) VALUES (?, ?, ?)',
    [order.user_id, total / 100, createdAt.slice(0, -1).replace('T', ' ')],
  );
  await connection.execute(
    `INSERT INTO order_items (order_id, line_no, product_id, quantity, unit_price)
     VALUES ${lines.map(() => '(?, ?, ?, ?, ?)').join(', ')}`,
    lines.flatMap((line, index) => [
      orderId,
      index + 1,
      line.productId,
      line.quantity,
      line.priceMinor / 100,
    ]),
  );
  return { orderId, userId: order.user_id, total, createdAt, lines };
}

async function deleteOrder(connection: PoolConnection, orderId: number): Promise<Sale> {
  const [[order]] = await connection.execute<
    (RowDataPacket & { user_id: number; total_amount: string; created_at: string })[]
  >('SELECT user_id, total_amount, created_at FROM orders WHERE id = ? FOR UPDATE', [orderId]);
  if (order === undefined) throw new Refused(404, 'there is no such order');
  const [items] = await connection.execute<
    (RowDataPacket & { product_id: number; quantity: number; unit_price: string })[]
  >('SELECT product_id, quantity, unit_price FROM order_items WHERE order_id = ?', [orderId]);
  await connection.execute('DELETE FROM order_items WHERE order_id = ?', [orderId]);
  await connection.execute('DELETE FROM orders WHERE id = ?', [orderId]);
  return {
    orderId,
    userId: order.user_id,
    total: Math.round(Number(order.total_amount) * 100),
    createdAt: `${order.created_at.replace(' ', 'T')}Z`,
    lines: items.map((item) => ({
      productId: item.product_id,
      quantity: item.quantity,
      priceMinor: Math.round(Number(item.unit_price) * 100),
    })),
  };
}
