import { liveKeyOf, newPlace, startTally, until, type Place, type Tally } from '../support/tally';

let place: Place;
let tally: Tally;

beforeAll(async () => {
  place = await newPlace();
  tally = await startTally(place);
  await until(async () => (await tally.get('/health/ready')).status === 200);
});

afterAll(async () => {
  await tally.app.close();
  await place.close();
});

describe('products', () => {
  test.each([
    ['a decimal string', '45.99', '45.99'],
    ['a JSON number', 45.99, '45.99'],
    ['a whole number', 7, '7.00'],
    ['nothing', 0, '0.00'],
    ['the highest price', '9999999999.99', '9999999999.99'],
    ['the highest price as a number', 9999999999.99, '9999999999.99'],
    ['a number that floats miss', 1.15, '1.15'],
  ])('a price that is %s is exact', async (_, price, exact) => {
    const sku = `P-${JSON.stringify(price)}`;
    const added = await tally.post('/products', { name: 'Tea', sku, price });
    expect(added.status).toBe(201);
    expect(added.body).toMatchObject({ name: 'Tea', sku, price: exact, projected: true });
    expect(added.headers.get('location')).toBe(`/products/${added.body.product_id}`);
    const read = await tally.get(`/products/${added.body.product_id}`);
    expect(read.body).toEqual({
      product_id: added.body.product_id,
      name: 'Tea',
      sku,
      price: exact,
      created_at: added.body.created_at,
    });
  });

  test.each(['1.999', '-1', '10000000000', '1e2', 'free', '', null, 0.001, -0.01, 1e15])(
    '400: the price %j',
    async (price) => {
      const answer = await tally.post('/products', { name: 'Tea', sku: 'BAD', price });
      expect(answer.status).toBe(400);
      expect(answer.body.errors[0].field).toBe('price');
    },
  );

  test.each([
    ['a\u0000b', 'must have no control characters'],
    ['a\nb', 'must have no control characters'],
    ['\u200b\u2060', 'must have a visible character'],
    [' ', 'must have at least 1 character'],
  ])('400: the name %j', async (name, message) => {
    const { status, body } = await tally.post('/users', { name, email: 'nobody@example.com' });
    expect([status, body.errors]).toEqual([400, [{ field: 'name', message }]]);
  });

  test.each(['🍵 Grüner Tee 茶', 'שלום', '"\'\\%_', '𝕊'.repeat(100)])(
    'the name %j stays as it is',
    async (name) => {
      const { body } = await tally.post('/products', { name, sku: `N-${name}`.slice(0, 60), price: '1' });
      expect((await tally.get(`/products/${body.product_id}`)).body.name).toBe(name);
      expect(await place.redis.hget(await productKey(body.product_id), 'name')).toBe(name);
    },
  );

  test('400: a name that is not well-formed, empty, or too long', async () => {
    const json = { 'content-type': 'application/json' };
    const halves = await tally.send('POST', '/products', '{"name":"\\ud800","sku":"H","price":"1"}', json);
    expect(halves.status).toBe(400);
    expect((await tally.post('/products', { name: '  ', sku: 'E', price: '1' })).status).toBe(400);
    expect((await tally.post('/products', { name: 'x'.repeat(201), sku: 'L', price: '1' })).status).toBe(400);
  });

  test('409: a SKU that is taken, also with another key; a replay with the same', async () => {
    const tea = { name: 'Tea', sku: 'ONCE', price: '1' };
    const first = await tally.post('/products', tea, { 'idempotency-key': 'a' });
    const replay = await tally.post('/products', tea, { 'idempotency-key': 'a' });
    expect(replay.body).toEqual(first.body);
    const taken = await tally.post('/products', tea, { 'idempotency-key': 'b' });
    expect([taken.status, taken.body.type]).toEqual([409, 'urn:tally:problem:sku-taken']);
  });

  test('404: a product that is not there', async () => {
    expect((await tally.get('/products/424242')).body.type).toBe('urn:tally:problem:product-not-found');
    expect((await tally.delete('/products/424242')).body.type).toBe('urn:tally:problem:product-not-found');
  });
});

describe('GET /products/:id/sales', () => {
  test('says what one product sold, from the counter that other programs read', async () => {
    const { body: user } = await tally.post('/users', { name: 'Cy', email: 'cy@example.com' });
    const { body: product } = await tally.post('/products', { name: 'Pot', sku: 'POT', price: '12.50' });
    const id: number = product.product_id;
    const sales = async () => (await tally.get(`/products/${id}/sales`)).body;
    const none = { product_id: id, name: 'Pot', sku: 'POT', quantity_sold: 0, revenue: '0.00' };
    expect(await sales()).toEqual(none);

    const items = [{ product_id: id, quantity: 3 }];
    const created = await tally.post('/orders', { user_id: user.user_id, items });
    const read = await tally.get(`/products/${id}/sales`);
    expect(read.body).toEqual({ ...none, quantity_sold: 3, revenue: '37.50' });
    expect(read.headers.get('tally-position')).toBe(created.headers.get('tally-position'));
    expect(await place.redis.get(`${await productKey(id)}:sold`)).toBe('3');

    await tally.delete(`/orders/${created.body.order_id}`);
    expect(await sales()).toEqual(none);
  });

  test('404: a product of which the read model knows nothing', async () => {
    const { status, body } = await tally.get('/products/424242/sales');
    expect([status, body.type]).toEqual([404, 'urn:tally:problem:product-not-found']);
    expect(body.position).toBeGreaterThan(0);
  });
});

describe('users', () => {
  test('are registered once per email, whatever its case', async () => {
    const { status, body } = await tally.post('/users', { name: 'Ada', email: 'ada@example.com' });
    expect(status).toBe(201);
    const { position, projected, ...user } = body;
    expect(projected).toBe(true);
    expect(position).toBeGreaterThan(0);
    expect((await tally.get(`/users/${user.user_id}`)).body).toEqual(user);
    const taken = await tally.post('/users', { name: 'Ada', email: 'ADA@example.com' });
    expect([taken.status, taken.body.type]).toEqual([409, 'urn:tally:problem:email-taken']);
    expect((await tally.post('/users', { name: 'Ada', email: 'ada' })).status).toBe(400);
    expect((await tally.get('/users/424242')).body.type).toBe('urn:tally:problem:user-not-found');
    expect((await tally.delete('/users/424242')).body.type).toBe('urn:tally:problem:user-not-found');
  });

  test('409: what orders refer to cannot be removed; afterwards it can', async () => {
    const { body: user } = await tally.post('/users', { name: 'Bob', email: 'bob@example.com' });
    const { body: product } = await tally.post('/products', { name: 'Cup', sku: 'CUP', price: '3' });
    const items = [{ product_id: product.product_id, quantity: 1 }];
    const { body: order } = await tally.post('/orders', { user_id: user.user_id, items });
    expect((await tally.delete(`/users/${user.user_id}`)).body.type).toBe('urn:tally:problem:user-in-use');
    expect((await tally.delete(`/products/${product.product_id}`)).body.type).toBe(
      'urn:tally:problem:product-in-use',
    );
    await tally.delete(`/orders/${order.order_id}`);
    expect((await tally.delete(`/users/${user.user_id}`)).body).toMatchObject({
      user_id: user.user_id,
      deleted: true,
    });
    expect((await tally.delete(`/products/${product.product_id}`)).status).toBe(200);
    expect(await place.redis.exists(await productKey(product.product_id))).toBe(0);
  });
});

test('lists are paged by ascending id', async () => {
  for (const [path, name] of [
    ['/products', 'products'],
    ['/users', 'users'],
  ] as const) {
    const ids: number[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const { body } = await tally.get(`${path}?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
      ids.push(...body[name].map((one: Record<string, number>) => one[`${name.slice(0, -1)}_id`]));
      cursor = body.next_cursor;
    }
    const [rows] = await place.sql.query(`SELECT id FROM ${name} ORDER BY id`);
    expect(ids).toEqual((rows as { id: number }[]).map(({ id }) => id));
  }
});

async function productKey(id: number): Promise<string> {
  return liveKeyOf(place, `product:${id}`);
}

test('reads of the catalogue that cannot go on do not take MySQL from commands, the projector and readiness', async () => {
  const holder = await place.sql.getConnection();
  try {
    await holder.query('LOCK TABLES products WRITE');
    const reads = Array.from({ length: 1_100 }, () => tally.get('/products'));
    const refused = await Promise.any(
      reads.map(async (read) => {
        const answer = await read;
        if (answer.status !== 503) throw new Error('it was answered');
        return answer;
      }),
    );
    expect(refused.body.type).toBe('urn:tally:problem:overloaded');
    const created = await tally.post('/users', { name: 'Ada', email: 'beside@example.com' });
    expect(created.body).toMatchObject({ projected: true });
    expect((await tally.get('/health/ready')).status).toBe(200);
    await holder.query('UNLOCK TABLES');
    const statuses = new Set((await Promise.all(reads)).map(({ status }) => status));
    expect(statuses).toEqual(new Set([200, 503]));
  } finally {
    holder.destroy();
  }
});
