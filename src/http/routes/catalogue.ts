import { z } from 'zod';
import {
  getProduct,
  getUser,
  listProducts,
  listUsers,
  product,
  productPage,
  user,
  userPage,
} from '../../catalogue';
import { CREATE_PRODUCT } from '../../commands/create-product';
import { CREATE_USER } from '../../commands/create-user';
import { DELETE_PRODUCT } from '../../commands/delete-product';
import { DELETE_USER } from '../../commands/delete-user';
import { ERASE_USER } from '../../commands/erase-user';
import { id } from '../../domain/answers';
import { email, name, priceOf, sku } from '../../domain/fields';
import { productId, userId } from '../../domain/ids';
import { formatMinor, MAX_PRICE } from '../../domain/money';
import { commandRoute } from '../command-route';
import type { HttpContext } from '../context';
import { cursor, idInUrl, limit } from '../requests';
import { route } from '../route';
import type { App } from '../server';
import { storedRoute } from '../stored-route';

const price = z
  .union(
    [
      z.string().meta({ pattern: '^\\d{1,10}(\\.\\d{1,2})?$' }),
      z.number().meta({ minimum: 0, maximum: Number(formatMinor(MAX_PRICE)) }),
    ],
    'must be text or a number',
  )
  .meta({ description: 'Decimal with at most two places, as a string or a number', examples: ['45.99'] })
  // A JSON number such as 45.99 becomes the same text again: the shortest one that gives the number.
  .transform((input, context) => priceOf(String(input), context));

const newProduct = z
  .strictObject({ name, sku, price })
  // zod leaves `examples` out where a field is transformed.
  .meta({ 'x-examples': { tea: { value: { name: 'Green tea', sku: 'TEA-1', price: '45.99' } } } });

const newUser = z
  .strictObject({ name, email })
  .meta({ examples: [{ name: 'Ada', email: 'ada@example.com' }] });

const productParams = z.strictObject({ id: idInUrl.transform(productId) });
const userParams = z.strictObject({ id: idInUrl.transform(userId) });

const page = z
  .strictObject({ limit: limit(20), cursor })
  .transform(({ limit, cursor = 0 }) => ({ limit, above: cursor }));

const deleted = z.literal(true);
const tags = ['catalogue'];

/** Products and users: kept in MySQL, and read from there. */
export function catalogueRoutes(app: App, context: HttpContext): void {
  const { writer, database } = context;

  route(
    app,
    'POST /products',
    commandRoute(
      context,
      {
        tags,
        operationId: 'createProduct',
        summary: 'Add a product',
        body: newProduct,
        status: 201,
        answer: product,
        problems: ['sku-taken'],
      },
      ({ body }, command) => writer.execute(CREATE_PRODUCT, body, command),
      ({ event, occurredAt }, { body }) => ({
        product_id: event.productId,
        name: event.name,
        sku: event.sku,
        price: formatMinor(body.price),
        created_at: occurredAt,
      }),
    ),
  );

  route(
    app,
    'DELETE /products/:id',
    commandRoute(
      context,
      {
        tags,
        operationId: 'deleteProduct',
        summary: 'Remove a product that no order refers to',
        params: productParams,
        status: 200,
        answer: z.object({ product_id: id, deleted }),
        problems: ['product-not-found', 'product-in-use'],
      },
      ({ params }, command) => writer.execute(DELETE_PRODUCT, params.id, command),
      ({ event }) => ({ product_id: event.productId, deleted: true as const }),
    ),
  );

  route(
    app,
    'GET /products/:id',
    storedRoute(
      {
        tags,
        operationId: 'getProduct',
        summary: 'One product',
        params: productParams,
        answer: product,
        problems: ['product-not-found'],
      },
      ({ params }) => getProduct(database, params.id),
    ),
  );

  route(
    app,
    'GET /products',
    storedRoute(
      {
        tags,
        operationId: 'listProducts',
        summary: 'Products by ascending id',
        querystring: page,
        answer: productPage,
      },
      ({ query }) => listProducts(database, query),
    ),
  );

  route(
    app,
    'POST /users',
    commandRoute(
      context,
      {
        tags,
        operationId: 'createUser',
        summary: 'Register a user',
        body: newUser,
        status: 201,
        answer: user,
        problems: ['email-taken'],
      },
      ({ body }, command) => writer.execute(CREATE_USER, body, command),
      ({ event, occurredAt }, { body }) => ({
        user_id: event.userId,
        name: event.name,
        email: body.email,
        created_at: occurredAt,
      }),
    ),
  );

  route(
    app,
    'DELETE /users/:id',
    commandRoute(
      context,
      {
        tags,
        operationId: 'deleteUser',
        summary: 'Remove a user who has no orders',
        params: userParams,
        status: 200,
        answer: z.object({ user_id: id, deleted }),
        problems: ['user-not-found', 'user-in-use'],
      },
      ({ params }, command) => writer.execute(DELETE_USER, params.id, command),
      ({ event }) => ({ user_id: event.userId, deleted: true as const }),
    ),
  );

  route(
    app,
    'POST /users/:id/erasure',
    commandRoute(
      context,
      {
        tags,
        operationId: 'eraseUser',
        summary: 'Erase the name and email of a user, for good',
        description:
          'The orders stay, and reports show `[erased]`. Also for a user who was removed, whose name the log still holds.',
        params: userParams,
        status: 200,
        answer: z.object({ user_id: id, erased: z.literal(true) }),
        problems: ['user-not-found'],
      },
      ({ params }, command) => writer.execute(ERASE_USER, params.id, command),
      ({ event }) => ({ user_id: event.userId, erased: true as const }),
    ),
  );

  route(
    app,
    'GET /users/:id',
    storedRoute(
      {
        tags,
        operationId: 'getUser',
        summary: 'One user',
        params: userParams,
        answer: user,
        problems: ['user-not-found'],
      },
      ({ params }) => getUser(database, params.id),
    ),
  );

  route(
    app,
    'GET /users',
    storedRoute(
      {
        tags,
        operationId: 'listUsers',
        summary: 'Users by ascending id',
        querystring: page,
        answer: userPage,
      },
      ({ query }) => listUsers(database, query),
    ),
  );
}
