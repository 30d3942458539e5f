import fc from 'fast-check';
import { expectedKeys, type PlainOrder, type PlainShop } from '../torture/plain-model';
import { caughtUp, dump, newPlace, startTally, until, type Place, type Tally } from './support/tally';

/** A command against the shop; numbers pick one of what is there. */
type Step =
  | { do: 'add-user' }
  | { do: 'add-product'; cents: number }
  | { do: 'order'; user: number; items: { product: number; quantity: number }[] }
  | { do: 'delete-order'; pick: number }
  | { do: 'remove-user'; pick: number }
  | { do: 'remove-product'; pick: number };

const pick = fc.nat(1000);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ do: fc.constant('add-user' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('add-product' as const),
      cents: fc.oneof(fc.constant(0), fc.nat(99_999)),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('order' as const),
      user: pick,
      items: fc.array(fc.record({ product: pick, quantity: fc.integer({ min: 1, max: 1000 }) }), {
        minLength: 1,
        maxLength: 6,
      }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('delete-order' as const), pick }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove-user' as const), pick }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove-product' as const), pick }) },
);

let place: Place;
let tally: Tally;

beforeAll(async () => {
  place = await newPlace({ MAX_ORDER_TOTAL: '10000000000.00' });
  tally = await startTally(place);
  await until(async () => (await tally.get('/health/ready')).status === 200);
});

afterAll(async () => {
  await tally.app.close();
  await place.close();
});

test('after any sequence of commands Redis is what a plain model says, key by key', async () => {
  const shop: PlainShop = { users: new Map(), products: new Map(), orders: new Map() };
  const prices = new Map<number, number>();
  let serial = 0;
  const chosen = <T>(map: Map<number, T>, which: number): number | undefined =>
    [...map.keys()][which % Math.max(1, map.size)];

  const run = async (command: Step): Promise<void> => {
    serial += 1;
    switch (command.do) {
      case 'add-user': {
        const name = `Üser ${serial} 🍵`;
        const { body } = await tally.post('/users', { name, email: `u${serial}@example.com` });
        shop.users.set(body.user_id, { name });
        return;
      }
      case 'add-product': {
        const name = `Tee "${serial}" \\ '茶'`;
        const price = (command.cents / 100).toFixed(2);
        const { body } = await tally.post('/products', { name, sku: `S-${serial}`, price });
        shop.products.set(body.product_id, { name, sku: `S-${serial}` });
        prices.set(body.product_id, command.cents);
        return;
      }
      case 'order': {
        const userId = chosen(shop.users, command.user);
        const lines = command.items.flatMap(({ product, quantity }) => {
          const productId = chosen(shop.products, product);
          return productId === undefined
            ? []
            : [{ productId, quantity, unitCents: prices.get(productId) ?? 0 }];
        });
        if (userId === undefined || lines.length === 0) return;
        const items = lines.map(({ productId, quantity }) => ({ product_id: productId, quantity }));
        const { status, body } = await tally.post('/orders', { user_id: userId, items });
        expect(status).toBe(201);
        const order: PlainOrder = { id: body.order_id, userId, createdAt: body.created_at, lines };
        shop.orders.set(order.id, order);
        return;
      }
      case 'delete-order': {
        const id = chosen(shop.orders, command.pick);
        if (id === undefined) return;
        expect((await tally.delete(`/orders/${id}`)).status).toBe(200);
        shop.orders.delete(id);
        return;
      }
      case 'remove-user': {
        const id = chosen(shop.users, command.pick);
        if (id === undefined) return;
        const inUse = [...shop.orders.values()].some((order) => order.userId === id);
        expect((await tally.delete(`/users/${id}`)).status).toBe(inUse ? 409 : 200);
        if (!inUse) shop.users.delete(id);
        return;
      }
      case 'remove-product': {
        const id = chosen(shop.products, command.pick);
        if (id === undefined) return;
        const inUse = [...shop.orders.values()].some((order) =>
          order.lines.some((line) => line.productId === id),
        );
        expect((await tally.delete(`/products/${id}`)).status).toBe(inUse ? 409 : 200);
        if (!inUse) shop.products.delete(id);
        return;
      }
    }
  };

  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
      for (const command of steps) await run(command);
      await caughtUp(place);
      expect(await dump(place)).toEqual(expectedKeys(shop));
    }),
    // Every run goes on from the shop that the runs before it left, so a shrunken run would start from another one.
    { numRuns: 25, endOnFailure: true },
  );

  for (const id of shop.orders.keys()) await tally.delete(`/orders/${id}`);
  shop.orders.clear();
  await caughtUp(place);
  expect(await dump(place)).toEqual(expectedKeys(shop));
});
