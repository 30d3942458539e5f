import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Ajv from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import {
  newPlace,
  seedCatalogue,
  startTally,
  until,
  type Answer,
  type Place,
  type Tally,
} from '../support/tally';

/** Fixed, so that a failure is one for everybody. */
const SEED = 20_261_128;
const REQUESTS = 150;

/** A part of the document. */
type Json = Answer['body'];

let place: Place;
let tally: Tally;
let document: Json;

beforeAll(async () => {
  place = await newPlace();
  tally = await startTally(place);
  await until(async () => (await tally.get('/health/ready')).status === 200);
  const { user, products } = await seedCatalogue(tally, ['1.00', '2.50', '0']);
  for (const product_id of products) {
    await tally.post('/orders', { user_id: user, items: [{ product_id, quantity: 2 }] });
  }
  document = (await tally.get('/openapi.json')).body;
});

afterAll(async () => {
  await tally.app.close();
  await place.close();
});

test('the document passes the recommended rules of Redocly', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tally-openapi-'));
  try {
    const file = join(directory, 'openapi.json');
    await writeFile(file, JSON.stringify(document));
    const cli = require.resolve('@redocly/cli/bin/cli.js');
    const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
    const { stderr } = await promisify(execFile)(
      process.execPath,
      [cli, 'lint', '--extends', 'recommended', file],
      { env },
    );
    expect(stderr).not.toMatch(/You have \d+ warning/);
  } finally {
    await rm(directory, { recursive: true });
  }
});

/** What a schema describes. */
function described(schema: Json): fc.Arbitrary<unknown> {
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map(described));
  if (schema.enum) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case 'object': {
      const fields = Object.entries(schema.properties ?? {}).map(([name, each]) => [
        name,
        described(each as Json),
      ]);
      return fc.record(Object.fromEntries(fields), { requiredKeys: schema.required ?? [] });
    }
    case 'array':
      return fc.array(described(schema.items), {
        minLength: schema.minItems ?? 0,
        maxLength: Math.min(5, schema.maxItems ?? 5),
      });
    case 'integer': {
      const min = schema.minimum ?? 1;
      const large = fc.integer({ min, max: Math.min(schema.maximum, 2 ** 31 - 1) });
      // Small ones more often: they exist.
      const small = fc.integer({ min, max: 2 });
      return fc.oneof({ weight: 6, arbitrary: small }, large, fc.constant(schema.maximum));
    }
    case 'number':
      return fc.integer({ min: 0, max: 1_000_000 }).map((cents) => cents / 100);
    case 'string':
      return text(schema);
    default:
      throw new Error(`the fuzzer does not know ${JSON.stringify(schema)}`);
  }
}

function text({ pattern, format, minLength = 0, maxLength = 300 }: Json): fc.Arbitrary<string> {
  if (format === 'date')
    return fc
      .date({ min: new Date('2024-01-01'), max: new Date('2027-12-31'), noInvalidDate: true })
      .map((date) => date.toISOString().slice(0, 10));
  if (format === 'email') return fc.emailAddress();
  if (pattern === undefined) return fc.string({ minLength, maxLength, unit: 'grapheme' });
  return fc.oneof(
    fc.constantFrom('1', '2', '3').filter((small) => new RegExp(pattern).test(small)),
    fc.stringMatching(new RegExp(pattern)),
  );
}

/** What nobody should send. */
const HOSTILE = fc.constantFrom<unknown>(
  null,
  true,
  -1,
  0,
  1e300,
  2 ** 53,
  '',
  ' ',
  '0x10',
  '1e3',
  '-0',
  '%00',
  '\u0000',
  '\ud800',
  "' OR 1=1 --",
  '../../etc/passwd',
  '<script>',
  'a'.repeat(5000),
  [],
  {},
  [[]],
  { __proto__: 1 },
  '９',
  'NaN',
  '２０２６-０１-０１',
);

/** A value, or one in which something is hostile. */
function perhapsHostile(arbitrary: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 3, arbitrary }, { weight: 1, arbitrary: HOSTILE });
}

function bodies(schema: Json): fc.Arbitrary<unknown> {
  const spoilt = fc.tuple(described(schema), fc.string(), HOSTILE).map(([value, name, hostile]) => {
    const body = { ...(value as Json) };
    const names = Object.keys(body);
    body[names[name.length % Math.max(1, names.length)] ?? name] = hostile;
    return body;
  });
  return fc.oneof(
    { weight: 4, arbitrary: described(schema) },
    { weight: 2, arbitrary: spoilt },
    { weight: 1, arbitrary: HOSTILE },
  );
}

interface FuzzedRequest {
  path: string;
  headers: Record<string, string>;
  body: string | undefined;
}

function requestsOf(path: string, { parameters = [], requestBody }: Json): fc.Arbitrary<FuzzedRequest> {
  const values = fc.tuple(
    ...(parameters as Json[]).map(({ schema, required, in: place }) => {
      const value = place === 'header' ? described(schema) : perhapsHostile(described(schema));
      return required === true ? value : fc.option(value, { nil: undefined });
    }),
  );
  const body =
    requestBody === undefined
      ? fc.constant(undefined)
      : bodies(requestBody.content['application/json'].schema);
  return fc.tuple(values, body).map(([chosen, sent]) => {
    let url = path;
    const query = new URLSearchParams();
    const headers: Record<string, string> = sent === undefined ? {} : { 'content-type': 'application/json' };
    for (const [index, { name, in: place }] of (parameters as Json[]).entries()) {
      const value = chosen[index];
      if (value === undefined) continue;
      const as = typeof value === 'string' ? value : JSON.stringify(value);
      if (place === 'path') url = url.replace(`{${name}}`, encodeURIComponent(as.toWellFormed() || 'x'));
      else if (place === 'query') query.set(name, as);
      else headers[name] = as;
    }
    const search = query.toString();
    return {
      path: search === '' ? url : `${url}?${search}`,
      headers,
      body: sent === undefined ? undefined : JSON.stringify(sent),
    };
  });
}

test('whatever a request is made of, its answer is one that the document describes', async () => {
  const ajv = addFormats(new Ajv({ strict: false, allErrors: true }));
  ajv.addSchema({ $id: 'tally', components: document.components });
  const validators = new Map<string, ReturnType<typeof ajv.compile>>();
  const statuses = new Set<string>();
  for (const [path, methods] of Object.entries<Json>(document.paths)) {
    for (const [method, operation] of Object.entries<Json>(methods)) {
      await fc.assert(
        fc.asyncProperty(requestsOf(path, operation), async (request) => {
          const response = await fetch(tally.app.url + request.path, {
            method: method.toUpperCase(),
            signal: AbortSignal.timeout(10_000),
            headers: request.headers,
            ...(request.body === undefined ? {} : { body: request.body }),
          });
          const name = `${operation.operationId} ${response.status}`;
          statuses.add(name);
          const type = response.headers.get('content-type')?.split(';')[0] ?? '';
          const schema = operation.responses[response.status]?.content?.[type]?.schema;
          const text = await response.text();
          if (schema === undefined) throw new Error(`${name} ${type} is not described: ${text}`);
          if (response.status >= 500) throw new Error(`${name}: ${text}`);
          if (!type.endsWith('json')) return;
          const validate =
            validators.get(name) ??
            ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"tally#/')));
          validators.set(name, validate);
          if (!validate(JSON.parse(text)))
            throw new Error(`${name}: ${ajv.errorsText(validate.errors)}: ${text}`);
        }),
        { seed: SEED, numRuns: REQUESTS },
      );
    }
  }
  // It has come far enough to find something.
  for (const reached of [
    'createOrder 201',
    'createOrder 422',
    'createOrder 400',
    'getOrder 200',
    'getOrder 404',
    'deleteOrder 200',
    'sales 200',
    'bestSellers 200',
    'createUser 201',
    'listOrders 200',
  ]) {
    expect(statuses).toContain(reached);
  }
}, 120_000);
