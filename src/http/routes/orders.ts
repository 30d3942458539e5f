import { formatMinor } from '../../domain/money';
import { answerOf, eventOf, identityOf } from '../commands';
import type { Handlers } from '../handlers';
import * as schemas from '../schemas';
import type { App } from '../server';

const READ_PROBLEMS = schemas.problems(
  'invalid-request',
  'unknown-position',
  'read-model-unreachable',
  'read-model-building',
  'read-model-damaged',
  'read-model-behind',
);

/** Orders: commands into MySQL, queries from Redis. */
export function orderRoutes(app: App, handlers: Handlers): void {
  app.post(
    '/orders',
    {
      schema: {
        tags: ['orders'],
        summary: 'Create an order at the prices of this moment',
        headers: schemas.commandHeaders,
        body: schemas.newOrder,
        response: {
          201: schemas.createdOrder,
          ...schemas.problems(
            'invalid-request',
            'malformed-json',
            'body-too-large',
            'unsupported-media-type',
            'unknown-user',
            'unknown-product',
            'order-total-too-large',
            'idempotency-key-reused',
            'overloaded',
            'mysql-unreachable',
            'outcome-unknown',
          ),
        },
      },
    },
    async (request, reply) => {
      const input = {
        userId: request.body.user_id,
        items: request.body.items.map((item) => ({ productId: item.product_id, quantity: item.quantity })),
      };
      const receipt = await handlers.createOrder(input, identityOf(request), new Date().toISOString());
      const answer = await answerOf(reply, receipt, handlers.awaitProjected);
      const { order } = eventOf(receipt, 'OrderCreated');
      return reply
        .code(201)
        .header('location', `/orders/${order.orderId}`)
        .send({
          order_id: order.orderId,
          user_id: order.userId,
          total_amount: formatMinor(order.total),
          items_count: order.lines.length,
          created_at: order.createdAt,
          ...answer,
        });
    },
  );

  app.delete(
    '/orders/:id',
    {
      schema: {
        tags: ['orders'],
        summary: 'Delete an order',
        headers: schemas.commandHeaders,
        params: schemas.idParams,
        response: {
          200: schemas.deletedOrder,
          ...schemas.problems(
            'invalid-request',
            'order-not-found',
            'idempotency-key-reused',
            'overloaded',
            'mysql-unreachable',
            'outcome-unknown',
          ),
        },
      },
    },
    async (request, reply) => {
      const receipt = await handlers.deleteOrder(
        request.params.id,
        identityOf(request),
        new Date().toISOString(),
      );
      const answer = await answerOf(reply, receipt, handlers.awaitProjected);
      const { order } = eventOf(receipt, 'OrderDeleted');
      return { order_id: order.orderId, deleted: true as const, ...answer };
    },
  );

  app.get(
    '/orders/:id',
    {
      schema: {
        tags: ['orders'],
        summary: 'One order',
        headers: schemas.readHeaders,
        params: schemas.idParams,
        response: { 200: schemas.order, ...READ_PROBLEMS, ...schemas.problems('order-not-found') },
      },
    },
    async (request, reply) => {
      const { position, value } = await handlers.getOrder(request.params.id, {
        minPosition: request.headers['tally-min-position'],
      });
      void reply.header('tally-position', position);
      return value;
    },
  );

  app.get(
    '/orders',
    {
      schema: {
        tags: ['orders'],
        summary: 'Orders, highest id first',
        headers: schemas.readHeaders,
        querystring: schemas.orderPageQuery,
        response: { 200: schemas.orderPage, ...READ_PROBLEMS },
      },
    },
    async (request, reply) => {
      const { user_id: userId, limit, cursor: below } = request.query;
      const minPosition = request.headers['tally-min-position'];
      const { position, value } = await handlers.listOrders({ userId, limit, below }, { minPosition });
      void reply.header('tally-position', position);
      return value;
    },
  );
}
