import {
  liveKeyOf,
  newPlace,
  seedCatalogue,
  startTally,
  until,
  type Place,
  type Tally,
} from '../support/tally';

let place: Place;
let tally: Tally;
let user: number;
let products: number[];

beforeAll(async () => {
  place = await newPlace({ BODY_LIMIT_BYTES: '20000' });
  tally = await startTally(place);
  await until(async () => (await tally.get('/health/ready')).status === 200);
  ({ user, products } = await seedCatalogue(tally, ['45.99', '0.00', '9999999999.99']));
});

afterAll(async () => {
  await tally.app.close();
  await place.close();
});

const order = (items: unknown, headers = {}) => tally.post('/orders', { user_id: user, items }, headers);
const line = (index: number, quantity = 1) => ({ product_id: products[index], quantity });

describe('POST /orders', () => {
  test('201: at the prices of the catalogue, exact, and in the reports at once', async () => {
    const { status, headers, body } = await order([line(0, 3), line(1)]);
    expect(status).toBe(201);
    expect(body).toEqual({
      order_id: expect.any(Number),
      user_id: user,
      total_amount: '137.97',
      items_count: 2,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      position: expect.any(Number),
      projected: true,
    });
    expect(headers.get('location')).toBe(`/orders/${body.order_id}`);
    expect(headers.get('tally-position')).toMatch(new RegExp(`^${body.position}:[0-9a-f]{32}$`));
    const read = await tally.get(`/orders/${body.order_id}`);
    expect(read.status).toBe(200);
    expect(read.body).toEqual({
      order_id: body.order_id,
      user_id: user,
      total_amount: '137.97',
      items_count: 2,
      items: [
        { product_id: products[0], quantity: 3 },
        { product_id: products[1], quantity: 1 },
      ],
      created_at: body.created_at,
    });
  });

  test.each([
    ['no body at all', {}, 'user_id'],
    ['no items', { user_id: 1, items: [] }, 'items'],
    [
      '101 items',
      { user_id: 1, items: Array.from({ length: 101 }, () => ({ product_id: 1, quantity: 1 })) },
      'items',
    ],
    ['quantity 0', { user_id: 1, items: [{ product_id: 1, quantity: 0 }] }, 'items.0.quantity'],
    [
      'quantity 1,000,001',
      { user_id: 1, items: [{ product_id: 1, quantity: 1_000_001 }] },
      'items.0.quantity',
    ],
    ['half a piece', { user_id: 1, items: [{ product_id: 1, quantity: 0.5 }] }, 'items.0.quantity'],
    ['a text for a number', { user_id: '1', items: [{ product_id: 1, quantity: 1 }] }, 'user_id'],
    ['an id beyond 2^53', { user_id: 2 ** 60, items: [{ product_id: 1, quantity: 1 }] }, 'user_id'],
  ])('400: %s', async (_, body, field) => {
    const answer = await tally.post('/orders', body);
    expect(answer.status).toBe(400);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(answer.body).toMatchObject({ type: 'urn:tally:problem:invalid-request', status: 400 });
    expect(answer.body.errors.map((error: { field: string }) => error.field)).toContain(field);
  });

  test('400: a misspelt field is named', async () => {
    const answer = await tally.post('/orders', { user_id: user, items: [line(0)], coupon: 'X' });
    expect(answer.status).toBe(400);
    expect(answer.body.detail).toContain('coupon');
  });

  test('422: an unknown user, an unknown product, a total above the highest', async () => {
    const noUser = await tally.post('/orders', { user_id: 999_999, items: [line(0)] });
    expect([noUser.status, noUser.body.type]).toEqual([422, 'urn:tally:problem:unknown-user']);
    const noProduct = await order([line(0), { product_id: 999_999, quantity: 1 }]);
    expect([noProduct.status, noProduct.body.type]).toEqual([422, 'urn:tally:problem:unknown-product']);
    expect(noProduct.body.errors).toEqual([
      { field: 'items.1.product_id', message: 'there is no product 999999' },
    ]);
    const tooMuch = await order([line(2, 101)]);
    expect([tooMuch.status, tooMuch.body.type]).toEqual([422, 'urn:tally:problem:order-total-too-large']);
  });

  test('an Idempotency-Key is carried out once, answered again, and not reused for something else', async () => {
    const key = { 'idempotency-key': 'checkout-17' };
    const before = (await tally.get('/orders/reports/summary')).body.orders;
    const answers = await Promise.all(Array.from({ length: 8 }, () => order([line(0)], key)));
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(201));
    expect(new Set(answers.map(({ body }) => body.order_id)).size).toBe(1);
    expect(answers.filter(({ headers }) => headers.get('idempotent-replayed') === null)).toHaveLength(1);
    expect((await tally.get('/orders/reports/summary')).body.orders).toBe(before + 1);

    const other = await order([line(0, 2)], key);
    expect([other.status, other.body.type]).toEqual([422, 'urn:tally:problem:idempotency-key-reused']);
    const bad = await order([line(0)], { 'idempotency-key': 'with space' });
    expect(bad.status).toBe(400);
  });

  test('a refusal is not remembered under its key', async () => {
    const key = { 'idempotency-key': 'later' };
    const id = 1 + Math.max(...products);
    expect((await order([{ product_id: id, quantity: 1 }], key)).status).toBe(422);
    const added = await tally.post('/products', { name: 'New', sku: 'NEW-1', price: 1 });
    expect(added.body.product_id).toBe(id);
    expect((await order([{ product_id: id, quantity: 1 }], key)).status).toBe(201);
  });
});

describe('DELETE /orders/:id', () => {
  test('200 once, then 404; a keyed retry is answered again', async () => {
    const { body: created } = await order([line(0)]);
    const key = { 'idempotency-key': 'undo-1' };
    const first = await tally.delete(`/orders/${created.order_id}`, key);
    expect(first.status).toBe(200);
    expect(first.body).toEqual({
      order_id: created.order_id,
      deleted: true,
      position: created.position + 1,
      projected: true,
    });
    const again = await tally.delete(`/orders/${created.order_id}`, key);
    expect(again.body).toEqual(first.body);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect((await tally.delete(`/orders/${created.order_id}`)).body.type).toBe(
      'urn:tally:problem:order-not-found',
    );
    expect((await tally.get(`/orders/${created.order_id}`)).status).toBe(404);
  });

  test('one key sent twice at once is carried out once, and both are told so', async () => {
    for (let n = 0; n < 5; n++) {
      const { body: created } = await order([line(0)]);
      const key = { 'idempotency-key': `twin-${n}` };
      const twins = await Promise.all([1, 2, 3].map(() => tally.delete(`/orders/${created.order_id}`, key)));
      expect(twins.map(({ status }) => status)).toEqual([200, 200, 200]);
      const user = { name: 'Twin', email: `twin-${n}@example.com` };
      const users = await Promise.all([1, 2, 3].map(() => tally.post('/users', user, key)));
      expect(users.map(({ status }) => status)).toEqual([201, 201, 201]);
      expect(new Set(users.map(({ body }) => body.user_id)).size).toBe(1);
    }
  });

  test('200: with a content type and no body', async () => {
    const { body: created } = await order([line(0)]);
    const answer = await tally.delete(`/orders/${created.order_id}`, { 'content-type': 'application/json' });
    expect(answer.status).toBe(200);
  });

  test.each(['abc', '0', '-1', '1.5', '99999999999999999999', '9'.repeat(120)])(
    '400: the id %s',
    async (id) => {
      expect((await tally.delete(`/orders/${id}`)).status).toBe(400);
      expect((await tally.get(`/orders/${id}`)).status).toBe(400);
    },
  );
});

describe('GET /orders', () => {
  test('pages through all orders and through one user’s, highest id first, without a gap', async () => {
    const mine = await seedCatalogue(tally, ['1.00']);
    const ids: number[] = [];
    for (let n = 0; n < 7; n++) {
      const items = [{ product_id: mine.products[0], quantity: 1 }];
      ids.push((await tally.post('/orders', { user_id: mine.user, items })).body.order_id);
      await order([line(0)]);
    }
    const collect = async (query: string) => {
      const found: number[] = [];
      for (let cursor: string | null = ''; cursor !== null;) {
        const { status, body } = await tally.get(
          `/orders?limit=3${query}${cursor === '' ? '' : `&cursor=${cursor}`}`,
        );
        expect(status).toBe(200);
        found.push(...body.orders.map((one: { order_id: number }) => one.order_id));
        cursor = body.next_cursor;
      }
      return found;
    };
    expect(await collect(`&user_id=${mine.user}`)).toEqual([...ids].reverse());
    const all = await collect('');
    expect(all).toEqual([...all].sort((a, b) => b - a));
    expect(all).toHaveLength((await tally.get('/orders/reports/summary')).body.orders);
    expect(await collect('&user_id=424242')).toEqual([]);
  });

  test.each(['limit=0', 'limit=101', 'limit=ten', 'cursor=x', 'user_id=0', 'lmit=5'])(
    '400: ?%s',
    async (query) => {
      expect((await tally.get(`/orders?${query}`)).status).toBe(400);
    },
  );
});

test('an order whose hash is missing does not end the list', async () => {
  const mine = await seedCatalogue(tally, ['1.00']);
  const ids: number[] = [];
  for (let n = 0; n < 5; n++) {
    const items = [{ product_id: mine.products[0], quantity: 1 }];
    ids.push((await tally.post('/orders', { user_id: mine.user, items })).body.order_id);
  }
  await place.redis.del(await liveKeyOf(place, `order:${ids[3]}`));
  const { body } = await tally.get(`/orders?user_id=${mine.user}&limit=3`);
  expect(body.orders.map((one: { order_id: number }) => one.order_id)).toEqual([ids[4], ids[2]]);
  const next = await tally.get(`/orders?user_id=${mine.user}&limit=3&cursor=${body.next_cursor}`);
  expect(next.body.orders.map((one: { order_id: number }) => one.order_id)).toEqual([ids[1], ids[0]]);
  expect(next.body.next_cursor).toBeNull();
});

describe('positions', () => {
  test('a read that asks for the position of a write has it', async () => {
    const { headers, body } = await order([line(0)]);
    const shown = headers.get('tally-position') ?? '';
    for (const minPosition of [shown, String(body.position)]) {
      const read = await tally.get('/orders/reports/summary', { 'tally-min-position': minPosition });
      expect([read.status, read.headers.get('tally-position')]).toEqual([200, shown]);
    }
  });

  test('409: a position that the log has not reached', async () => {
    const beyond = await tally.get('/orders/reports/summary', { 'tally-min-position': '999999999' });
    expect([beyond.status, beyond.body.type]).toEqual([409, 'urn:tally:problem:unknown-position']);
  });

  test.each(['soon', '-1', '1.5', '76:ab', '9007199254740992', '12345678901234567'])(
    '400: %s',
    async (text) => {
      const { status, body } = await tally.get('/orders', { 'tally-min-position': text });
      expect([status, body.errors[0].field]).toEqual([400, 'tally-min-position']);
    },
  );
});

describe('what is not a proper request', () => {
  test('404: an unknown route says where the routes are', async () => {
    const answer = await tally.get('/order');
    expect([answer.status, answer.body.type]).toEqual([404, 'urn:tally:problem:route-not-found']);
  });

  test('400: JSON that is none; 415: another type; 413: too large a body', async () => {
    const json = { 'content-type': 'application/json' };
    const broken = await tally.send('POST', '/orders', '{"user_id":', json);
    expect([broken.status, broken.body.type]).toEqual([400, 'urn:tally:problem:malformed-json']);
    const empty = await tally.send('POST', '/orders', '', json);
    expect([empty.status, empty.body.type]).toEqual([400, 'urn:tally:problem:malformed-json']);
    const xml = await tally.send('POST', '/orders', '<order/>', { 'content-type': 'application/xml' });
    expect([xml.status, xml.body.type]).toEqual([415, 'urn:tally:problem:unsupported-media-type']);
    const large = await tally.send('POST', '/orders', JSON.stringify({ x: 'x'.repeat(30_000) }), json);
    expect([large.status, large.body.type]).toEqual([413, 'urn:tally:problem:body-too-large']);
    const poison = await tally.send('POST', '/orders', '{"__proto__":{"x":1}}', json);
    expect([poison.status, poison.body.type]).toEqual([400, 'urn:tally:problem:malformed-json']);
    const url = await tally.get('/orders/%zz');
    expect([url.status, url.body.type]).toEqual([400, 'urn:tally:problem:invalid-request']);
  });

  test('a request id is given back, or made where it is none', async () => {
    const given = await tally.get('/order', { 'x-request-id': 'mine-1' });
    expect(given.headers.get('x-request-id')).toBe('mine-1');
    expect(given.body.instance).toBe('urn:tally:request:mine-1');
    const made = await tally.get('/order', { 'x-request-id': 'no spaces please' });
    expect(made.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });
});
