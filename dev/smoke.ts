import '../src/node-version';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { endingWithParent } from './command';
import { runProgram } from './explain';
import { ROOT } from './paths';
import { startServers } from './servers';

/** All of it takes seconds; a service that hangs is killed. */
const LIMIT_MS = 60_000;
const ASK_EVERY_MS = 50;

const ids = z.object({ user_id: z.int(), product_id: z.int(), order_id: z.int() }).partial();
const bestSellers = z.array(z.object({ product_id: z.int(), quantity_sold: z.int(), revenue: z.string() }));

/**
 * Starts the service that `npm run build` left in dist/, on servers of its own, sells something, and stops it.
 * `npm run smoke -- /path/to/node` runs the service with that Node; the default is the Node that runs this file.
 */
async function smoke(node: string): Promise<void> {
  const servers = await startServers({
    env: { PATH: process.env.PATH }, // never the developer's own database
    allowInstall: true,
    log: (line) => console.error(line),
  });
  try {
    await startSellStop(node, { DATABASE_URL: servers.databaseUrl, REDIS_URL: servers.redisUrl, PORT: '0' });
  } finally {
    await servers.stop();
  }
}

async function startSellStop(node: string, env: NodeJS.ProcessEnv): Promise<void> {
  const main = path.join(ROOT, 'dist', 'main.js');
  const [program, ...args] = endingWithParent([node, '--enable-source-maps', main, 'serve']);
  const service = spawn(program, args, {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
  });
  const ended = once(service, 'exit');
  const url = new Promise<string>((resolve, reject) => {
    createInterface({ input: service.stdout })
      .on('line', (line) => {
        console.error(line);
        const [, address] = /Server listening at (http:[^"]+)/.exec(line) ?? [];
        if (address !== undefined) resolve(address);
      })
      .on('close', () => reject(new Error('the service ended before it listened')));
  });
  try {
    await sell(await url);
  } finally {
    service.kill('SIGTERM');
  }
  assert.deepEqual(await ended, [0, null], 'the service must end with exit code 0 after SIGTERM');
}

/** One order, from its user and product to the report that shows it, and back to nothing. */
async function sell(url: string): Promise<void> {
  while (!(await fetch(`${url}/health/ready`)).ok) await sleep(ASK_EVERY_MS);

  async function command(method: 'POST' | 'DELETE', route: string, sent?: object) {
    const response = await fetch(url + route, {
      method,
      ...(sent && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(sent) }),
    });
    const text = await response.text();
    assert(response.ok, `${method} ${route} was answered ${response.status}: ${text}`);
    return { ...ids.parse(JSON.parse(text)), position: response.headers.get('tally-position') ?? '' };
  }
  async function sold(productId: number | undefined, position: string) {
    const headers = { 'tally-min-position': position };
    const response = await fetch(`${url}/orders/reports/best-sellers?limit=100`, { headers });
    const products = bestSellers.parse(await response.json());
    return products.find(({ product_id }) => product_id === productId);
  }

  const name = `smoke-${process.pid}-${Date.now()}`;
  const { user_id } = await command('POST', '/users', { name, email: `${name}@example.com` });
  const { product_id } = await command('POST', '/products', { name, sku: name, price: '4.50' });
  const items = [{ product_id, quantity: 2 }];
  const created = await command('POST', '/orders', { user_id, items });
  assert.deepEqual(await sold(product_id, created.position), {
    product_id,
    quantity_sold: 2,
    revenue: '9.00',
  });

  const deleted = await command('DELETE', `/orders/${created.order_id}`);
  assert.equal(await sold(product_id, deleted.position), undefined);
  await command('DELETE', `/products/${product_id}`);
  await command('DELETE', `/users/${user_id}`);
}

void runProgram(async () => {
  const [, , node = process.execPath] = process.argv;
  await smoke(node);
  console.log(`The built service works, with ${node}`);
  return 0;
});
