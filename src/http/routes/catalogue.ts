import { formatMinor } from '../../domain/money';
import { answerOf, eventOf, identityOf } from '../commands';
import type { Handlers } from '../handlers';
import * as schemas from '../schemas';
import type { App } from '../server';

const COMMAND_PROBLEMS = [
  'invalid-request',
  'idempotency-key-reused',
  'overloaded',
  'mysql-unreachable',
  'outcome-unknown',
] as const;
const BODY_PROBLEMS = ['malformed-json', 'body-too-large', 'unsupported-media-type'] as const;

/** Products and users: kept in MySQL, and read from there. */
export function catalogueRoutes(app: App, handlers: Handlers): void {
  app.post(
    '/products',
    {
      schema: {
        tags: ['catalogue'],
        summary: 'Add a product',
        headers: schemas.commandHeaders,
        body: schemas.newProduct,
        response: {
          201: schemas.createdProduct,
          ...schemas.problems(...COMMAND_PROBLEMS, ...BODY_PROBLEMS, 'sku-taken'),
        },
      },
    },
    async (request, reply) => {
      const { body } = request;
      const receipt = await handlers.createProduct(body, identityOf(request), new Date().toISOString());
      const answer = await answerOf(reply, receipt, handlers.awaitProjected);
      const { productId, name, sku } = eventOf(receipt, 'ProductAdded');
      return reply
        .code(201)
        .header('location', `/products/${productId}`)
        .send({
          product_id: productId,
          name,
          sku,
          price: formatMinor(body.price),
          created_at: receipt.logged.occurredAt,
          ...answer,
        });
    },
  );

  app.delete(
    '/products/:id',
    {
      schema: {
        tags: ['catalogue'],
        summary: 'Remove a product that no order refers to',
        headers: schemas.commandHeaders,
        params: schemas.idParams,
        response: {
          200: schemas.deletedProduct,
          ...schemas.problems(...COMMAND_PROBLEMS, 'product-not-found', 'product-in-use'),
        },
      },
    },
    async (request, reply) => {
      const receipt = await handlers.deleteProduct(
        request.params.id,
        identityOf(request),
        new Date().toISOString(),
      );
      const answer = await answerOf(reply, receipt, handlers.awaitProjected);
      return { product_id: eventOf(receipt, 'ProductRemoved').productId, deleted: true as const, ...answer };
    },
  );

  app.get(
    '/products/:id',
    {
      schema: {
        tags: ['catalogue'],
        summary: 'One product',
        params: schemas.idParams,
        response: {
          200: schemas.product,
          ...schemas.problems('invalid-request', 'product-not-found', 'overloaded', 'mysql-unreachable'),
        },
      },
    },
    async (request) => handlers.getProduct(request.params.id),
  );

  app.get(
    '/products',
    {
      schema: {
        tags: ['catalogue'],
        summary: 'Products by ascending id',
        querystring: schemas.page,
        response: {
          200: schemas.productPage,
          ...schemas.problems('invalid-request', 'overloaded', 'mysql-unreachable'),
        },
      },
    },
    async (request) =>
      handlers.listProducts({ limit: request.query.limit, above: request.query.cursor ?? 0 }),
  );

  app.post(
    '/users',
    {
      schema: {
        tags: ['catalogue'],
        summary: 'Register a user',
        headers: schemas.commandHeaders,
        body: schemas.newUser,
        response: {
          201: schemas.createdUser,
          ...schemas.problems(...COMMAND_PROBLEMS, ...BODY_PROBLEMS, 'email-taken'),
        },
      },
    },
    async (request, reply) => {
      const { body } = request;
      const receipt = await handlers.createUser(body, identityOf(request), new Date().toISOString());
      const answer = await answerOf(reply, receipt, handlers.awaitProjected);
      const { userId, name } = eventOf(receipt, 'UserRegistered');
      return reply
        .code(201)
        .header('location', `/users/${userId}`)
        .send({ user_id: userId, name, email: body.email, created_at: receipt.logged.occurredAt, ...answer });
    },
  );

  app.delete(
    '/users/:id',
    {
      schema: {
        tags: ['catalogue'],
        summary: 'Remove a user who has no orders',
        headers: schemas.commandHeaders,
        params: schemas.idParams,
        response: {
          200: schemas.deletedUser,
          ...schemas.problems(...COMMAND_PROBLEMS, 'user-not-found', 'user-in-use'),
        },
      },
    },
    async (request, reply) => {
      const receipt = await handlers.deleteUser(
        request.params.id,
        identityOf(request),
        new Date().toISOString(),
      );
      const answer = await answerOf(reply, receipt, handlers.awaitProjected);
      return { user_id: eventOf(receipt, 'UserRemoved').userId, deleted: true as const, ...answer };
    },
  );

  app.get(
    '/users/:id',
    {
      schema: {
        tags: ['catalogue'],
        summary: 'One user',
        params: schemas.idParams,
        response: {
          200: schemas.user,
          ...schemas.problems('invalid-request', 'user-not-found', 'overloaded', 'mysql-unreachable'),
        },
      },
    },
    async (request) => handlers.getUser(request.params.id),
  );

  app.get(
    '/users',
    {
      schema: {
        tags: ['catalogue'],
        summary: 'Users by ascending id',
        querystring: schemas.page,
        response: {
          200: schemas.userPage,
          ...schemas.problems('invalid-request', 'overloaded', 'mysql-unreachable'),
        },
      },
    },
    async (request) => handlers.listUsers({ limit: request.query.limit, above: request.query.cursor ?? 0 }),
  );
}
