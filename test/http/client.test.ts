import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { newPlace, startTally, until, type Place, type Tally } from '../support/tally';

/** Installed apart: the generator needs another version of TypeScript than Tally. */
const PACKAGES = ['openapi-typescript@7.13.0', 'openapi-fetch@0.17.0', 'typescript@5.9.3'];
const INSTALL = [
  'install',
  '--save-exact',
  '--prefer-offline',
  '--no-audit',
  '--no-fund',
  '--ignore-scripts',
];
const COMPILE = [
  '--strict',
  '--module',
  'nodenext',
  '--target',
  'es2022',
  '--lib',
  'es2022,dom,dom.iterable',
];

const program = (url: string) => `
import createClient from 'openapi-fetch';
import type { paths } from './api.js';

const client = createClient<paths>({ baseUrl: '${url}' });

function told<T>({ data, error }: { data?: T; error?: { type: string; detail: string } }): T {
  if (data === undefined) throw new Error(error?.detail);
  return data;
}

const user = told(await client.POST('/users', { body: { name: 'Ada', email: 'ada@example.com' } }));
const product = told(await client.POST('/products', { body: { name: 'Tea', sku: 'TEA-1', price: '4.50' } }));
const created = await client.POST('/orders', {
  params: { header: { 'idempotency-key': 'once' } },
  body: { user_id: user.user_id, items: [{ product_id: product.product_id, quantity: 2 }] },
});
const order = told(created);
const position = created.response.headers.get('tally-position') ?? '';
const header = { 'tally-min-position': position };
const [best] = told(await client.GET('/orders/reports/best-sellers', { params: { query: { by: 'revenue' }, header } }));
const path = { id: String(order.order_id) };
const { deleted } = told(await client.DELETE('/orders/{id}', { params: { path } }));
const again = await client.DELETE('/orders/{id}', { params: { path } });
const isGone = again.error?.type === 'urn:tally:problem:order-not-found';
console.log(JSON.stringify({ total: order.total_amount, sold: best?.quantity_sold, deleted, isGone }));
`;

let place: Place;
let tally: Tally;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tally-client-'));
  place = await newPlace();
  tally = await startTally(place);
  await until(async () => (await tally.get('/health/ready')).status === 200);
  await write('package.json', JSON.stringify({ private: true, type: 'module' }));
  await write('openapi.json', JSON.stringify((await tally.get('/openapi.json')).body));
  await run('npm', [...INSTALL, ...PACKAGES]);
  await run('node_modules/.bin/openapi-typescript', ['openapi.json', '--output', 'api.ts']);
});

afterAll(async () => {
  await tally.app.close();
  await place.close();
  await rm(directory, { recursive: true });
});

async function write(name: string, text: string): Promise<void> {
  await writeFile(join(directory, name), text);
}

/** @returns what it printed. */
async function run(command: string, args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(command, args, { cwd: directory });
  return stdout;
}

test('a client that is generated from the document compiles and works', async () => {
  await write('program.ts', program(tally.app.url));
  await run('node_modules/.bin/tsc', [...COMPILE, 'program.ts']);
  const printed = await run(process.execPath, ['program.js']);
  expect(JSON.parse(printed)).toEqual({ total: '9.00', sold: 2, deleted: true, isGone: true });
});

test('wrong names do not compile', async () => {
  const changes = [
    ['product_id: product', 'productId: product'],
    ['best?.quantity_sold', 'best?.quantitySold'],
    [':order-not-found', ':order-not-there'],
  ] as const;
  const wrong = changes.map(([from, to], index) => ({
    file: `wrong-${index}.ts`,
    text: program(tally.app.url).replace(from, to),
  }));
  for (const { file, text } of wrong) await write(file, text);
  const files = wrong.map(({ file }) => file);
  const printed = await run('node_modules/.bin/tsc', [...COMPILE, '--noEmit', ...files]).then(
    () => '',
    ({ stdout }: { stdout: string }) => stdout,
  );
  for (const file of files) expect(printed).toContain(`${file}(`);
});
