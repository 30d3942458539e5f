import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { RowDataPacket } from 'mysql2/promise';
import { caughtUp, holdFence, liveKeyOf, newPlace, seedCatalogue, startTally, until } from './support/tally';

test('a shutdown answers what is in flight and refuses the rest', async () => {
  const place = await newPlace();
  try {
    const tally = await startTally(place);
    await until(async () => (await tally.get('/health/ready')).status === 200);
    const { user, products } = await seedCatalogue(tally, ['1.00']);
    const items = [{ product_id: products[0], quantity: 1 }];
    const results: (number | 'refused')[] = [];
    let stopped = false;
    const clients = Array.from({ length: 8 }, async () => {
      while (!stopped) {
        await tally.post('/orders', { user_id: user, items }).then(
          ({ status }) => results.push(status),
          () => {
            results.push('refused');
            stopped = true;
          },
        );
      }
    });
    await until(() => results.length > 50);
    await tally.app.close();
    stopped = true;
    await Promise.all(clients);
    const created = results.filter((result) => result === 201).length;
    expect(results.every((result) => result === 201 || result === 503 || result === 'refused')).toBe(true);

    // Every acknowledged order is there, in MySQL and in the reports.
    const again = await startTally(place);
    await until(async () => (await again.get('/health/ready')).status === 200);
    await until(async () => (await again.get('/orders/reports/summary')).body.orders >= created);
    const { body } = await again.get('/orders/reports/summary');
    const [rows] = await place.sql.query('SELECT COUNT(*) AS orders FROM orders');
    expect(rows).toEqual([{ orders: body.orders }]);
    await again.app.close();
  } finally {
    await place.close();
  }
});

test('a port that is taken is an error, and nothing keeps running', async () => {
  const place = await newPlace();
  try {
    const tally = await startTally(place);
    const { port } = new URL(tally.app.url);
    await expect(startTally(place, { PORT: port })).rejects.toThrow('EADDRINUSE');
    await tally.app.close();
  } finally {
    await place.close();
  }
});

test('a shutdown does not wait for a repair that holds the fencing lock', async () => {
  const place = await newPlace({ PROJECTION_WAIT_MS: '50' });
  try {
    const tally = await startTally(place);
    await until(async () => (await tally.get('/health/ready')).status === 200);
    const { user, products } = await seedCatalogue(tally, ['1.00']);
    await caughtUp(place);
    await holdFence(place, 4_000);
    const { body } = await tally.post('/orders', {
      user_id: user,
      items: [{ product_id: products[0], quantity: 1 }],
    });
    expect(body.projected).toBe(false);
    await tally.app.close();
    // The lock is still there, so nobody has waited for it to expire.
    const [seconds, microseconds] = await place.redis.time();
    const untilMs = Number(await place.redis.hget(await liveKeyOf(place, 'checkpoint'), 'fence_until'));
    expect(untilMs).toBeGreaterThan(Number(seconds) * 1000 + Number(microseconds) / 1000);
  } finally {
    await place.close();
  }
});

test('a shutdown answers a command behind which half a request has come', async () => {
  const place = await newPlace({ PROJECTION_WAIT_MS: '1000' });
  try {
    const tally = await startTally(place);
    await until(async () => (await tally.get('/health/ready')).status === 200);
    const { user, products } = await seedCatalogue(tally, ['1.00']);
    await caughtUp(place);
    const release = await holdFence(place, 20_000); // so that the answer waits
    const body = JSON.stringify({ user_id: user, items: [{ product_id: products[0], quantity: 1 }] });
    const socket = connect(Number(new URL(tally.app.url).port), '127.0.0.1');
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => undefined);
    const head = 'POST /orders HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n';
    socket.write(`${head}content-length: ${body.length}\r\n\r\n${body}${head}content-length: 9\r\n\r\n{"`);
    await until(async () => {
      const [rows] = await place.sql.query<RowDataPacket[]>('SELECT COUNT(*) AS orders FROM orders');
      return rows[0]?.orders === 1;
    });
    await tally.app.close();
    await release();
    expect(Buffer.concat(chunks).toString()).toMatch(/^HTTP\/1\.1 201 Created/);
    socket.destroy();
  } finally {
    await place.close();
  }
});

test('a shutdown waits neither for a silent connection nor for half a request', async () => {
  const place = await newPlace();
  const sockets: Socket[] = [];
  try {
    const tally = await startTally(place);
    const { port } = new URL(tally.app.url);
    const halves = [
      '',
      'GET /orders HTTP/1.1\r\n',
      'POST /users HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n{"',
    ];
    const ended = halves.map(async (half) => {
      const socket = connect(Number(port), '127.0.0.1');
      sockets.push(socket);
      await once(socket, 'connect');
      socket.resume(); // or it would never see its end
      socket.on('error', () => undefined); // a reset is an end, too
      socket.write(half);
      await new Promise((resolve) => socket.on('close', resolve)); // `once` would reject at the reset
    });
    await until(() => sockets.every(({ connecting }) => !connecting));
    await tally.app.close();
    expect(await Promise.all(ended)).toHaveLength(halves.length);
  } finally {
    for (const socket of sockets) socket.destroy();
    await place.close();
  }
});
