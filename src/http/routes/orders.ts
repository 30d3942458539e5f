import { z } from 'zod';
import { CREATE_ORDER } from '../../commands/create-order';
import { DELETE_ORDER } from '../../commands/delete-order';
import { id } from '../../domain/answers';
import { orderId, productId, userId } from '../../domain/ids';
import { formatMinor } from '../../domain/money';
import { getOrder, order } from '../../queries/get-order';
import { listOrders, orderPage } from '../../queries/list-orders';
import { commandRoute } from '../command-route';
import type { HttpContext } from '../context';
import { readRoute } from '../read-route';
import { cursor, idInUrl, limit } from '../requests';
import { route } from '../route';
import type { App } from '../server';

const newOrder = z
  .strictObject({
    user_id: id,
    items: z
      .array(z.strictObject({ product_id: id, quantity: z.int().min(1).max(1_000_000) }))
      .min(1)
      .max(100),
  })
  .meta({ examples: [{ user_id: 1, items: [{ product_id: 1, quantity: 2 }] }] })
  .transform(({ user_id, items }) => ({
    userId: userId(user_id),
    items: items.map(({ product_id, quantity }) => ({ productId: productId(product_id), quantity })),
  }));

const orderParams = z.strictObject({ id: idInUrl.transform(orderId) });

const orderPageQuery = z
  .strictObject({ user_id: idInUrl.optional(), limit: limit(20), cursor })
  .transform(({ user_id, limit, cursor }) => ({
    userId: user_id === undefined ? undefined : userId(user_id),
    limit,
    below: cursor === undefined ? undefined : orderId(cursor),
  }));

const tags = ['orders'];

/** Orders: commands into MySQL, queries from Redis. */
export function orderRoutes(app: App, context: HttpContext): void {
  const { writer, maxOrderTotal, reader } = context;

  route(
    app,
    'POST /orders',
    commandRoute(
      context,
      {
        tags,
        operationId: 'createOrder',
        summary: 'Create an order at the prices of this moment',
        body: newOrder,
        status: 201,
        answer: order.omit({ items: true }),
        problems: ['unknown-user', 'unknown-product', 'order-total-too-large', 'sum-bound-reached'],
      },
      ({ body }, command) => writer.execute(CREATE_ORDER, { order: body, maxOrderTotal }, command),
      ({ event }) => ({
        order_id: event.order.orderId,
        user_id: event.order.userId,
        total_amount: formatMinor(event.order.total),
        items_count: event.order.lines.length,
        created_at: event.order.createdAt,
      }),
    ),
  );

  route(
    app,
    'DELETE /orders/:id',
    commandRoute(
      context,
      {
        tags,
        operationId: 'deleteOrder',
        summary: 'Delete an order',
        params: orderParams,
        status: 200,
        answer: z.object({ order_id: id, deleted: z.literal(true) }),
        problems: ['order-not-found'],
      },
      ({ params }, command) => writer.execute(DELETE_ORDER, params.id, command),
      ({ event }) => ({ order_id: event.order.orderId, deleted: true as const }),
    ),
  );

  route(
    app,
    'GET /orders/:id',
    readRoute(
      {
        tags,
        operationId: 'getOrder',
        summary: 'One order',
        params: orderParams,
        answer: order,
        problems: ['order-not-found'],
      },
      ({ params }, options) => getOrder(reader, params.id, options),
    ),
  );

  route(
    app,
    'GET /orders',
    readRoute(
      {
        tags,
        operationId: 'listOrders',
        summary: 'Orders, highest id first',
        querystring: orderPageQuery,
        answer: orderPage,
      },
      ({ query }, options) => listOrders(reader, query, options),
    ),
  );
}
