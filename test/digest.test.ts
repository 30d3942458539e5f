import { runRepair } from '../src/projections/resync/resync';
import { privateRedis } from './support/private-redis';
import { openHere } from './support/stores';
import { newPlace, startTally, until } from './support/tally';

test('a healthy model is verified without moving its values, whatever characters they hold', async () => {
  const own = await privateRedis();
  const place = await newPlace({ VERIFY_INTERVAL_S: '0', REDIS_URL: own.url });
  const tally = await startTally(place);
  const stores = await openHere(place);
  try {
    await until(async () => (await tally.get('/health/ready')).status === 200);
    const user = (await tally.post('/users', { name: 'Zoë 🫖\n"Ö"', email: 'zoe@example.com' })).body.user_id;
    const names = ['Thé / été', 'tab\tand \\', '茶', ...Array.from({ length: 40 }, (_, n) => `Tea ${n}`)];
    const products: number[] = [];
    for (const [index, name] of names.entries()) {
      const { body } = await tally.post('/products', { name, sku: `S-${index}`, price: '3.10' });
      products.push(body.product_id);
    }
    for (const product_id of products) {
      const items = [{ product_id, quantity: 2 }];
      const { body } = await tally.post('/orders', { user_id: user, items });
      if (product_id % 5 === 0) await tally.delete(`/orders/${body.order_id}`);
    }
    await own.client.config('RESETSTAT');
    const found = await until(() => runRepair(stores.resyncDeps));
    expect(found).toMatchObject({ drift: 0, out_of_band: 0 });
    const commands = await own.client.info('commandstats');
    expect(commands).toMatch(/cmdstat_hmget:calls=[1-9]/); // within the scripts
    expect(commands).not.toMatch(/cmdstat_hgetall/);
  } finally {
    await stores.close();
    await tally.app.close();
    await place.close();
    await own.stop();
  }
});
