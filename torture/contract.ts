/**
 * Requests made of the OpenAPI document, right ones and wrong ones. Whatever they are, the answer must be one that the document
 * describes. `test/http/contract.test.ts` sends them with a fixed seed, the torture with the seed of its run.
 */
import Ajv, { type ValidateFunction } from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import fc from 'fast-check';

/** Beyond every bound of the service. */
const ANSWER_WITHIN_MS = 10_000;
/** Where there is nothing to vary. */
const SAME_REQUESTS = 3;

/** A part of the document. */
type Json = ReturnType<typeof JSON.parse>;

export interface Fuzzed {
  requests: number;
  /** Each operation with each status that it was answered: `getOrder 404`. */
  reached: Set<string>;
  /** What the document does not allow, with the smallest request that shows it. */
  violations: string[];
}

/** Fuzzes every operation of a running service. The seed fixes the requests. */
export async function fuzz(
  url: string,
  { seed, requests }: { seed: number; /** Of each operation. */ requests: number },
): Promise<Fuzzed> {
  const document: Json = await (await fetch(`${url}/openapi.json`)).json();
  const check = answerCheck(document);
  const fuzzed: Fuzzed = { requests: 0, reached: new Set(), violations: [] };
  for (const [path, methods] of Object.entries<Json>(document.paths)) {
    for (const [method, operation] of Object.entries<Json>(methods)) {
      const isConstant = operation.parameters === undefined && operation.requestBody === undefined;
      const outcome = await fc.check(
        fc.asyncProperty(requestsOf(path, operation), async (request) => {
          const response = await fetch(url + request.path, {
            method: method.toUpperCase(),
            signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
            headers: request.headers,
            ...(request.body === undefined ? {} : { body: request.body }),
          });
          fuzzed.requests += 1;
          fuzzed.reached.add(`${operation.operationId} ${response.status}`);
          check(operation, response, await response.text());
        }),
        { seed, numRuns: isConstant ? SAME_REQUESTS : requests },
      );
      if (outcome.failed) {
        const reason = String(outcome.errorInstance);
        fuzzed.violations.push(`a fuzzed request: ${reason}\n${fc.defaultReportMessage(outcome)}`);
      }
    }
  }
  return fuzzed;
}

/** @returns what throws where an operation may not be answered so. */
function answerCheck({ components }: Json): (operation: Json, response: Response, text: string) => void {
  const ajv = addFormats(new Ajv({ strict: false, allErrors: true }));
  ajv.addSchema({ $id: 'tally', components });
  const validators = new Map<Json, ValidateFunction>();
  return ({ operationId, responses }, { status, headers }, text) => {
    const type = headers.get('content-type')?.split(';')[0] ?? '';
    const schema = responses[status]?.content?.[type]?.schema;
    const name = `${operationId} ${status}`;
    if (schema === undefined) throw new Error(`${name} ${type} is not described: ${text}`);
    if (status >= 500) throw new Error(`${name}: ${text}`);
    if (!type.endsWith('json')) return;
    const validate =
      validators.get(schema) ?? ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"tally#/')));
    validators.set(schema, validate);
    if (!validate(JSON.parse(text))) throw new Error(`${name}: ${ajv.errorsText(validate.errors)}: ${text}`);
  };
}

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
  const form = new RegExp(pattern);
  const small = ['1', '2', '3'].filter((number) => form.test(number));
  const matching = fc.stringMatching(form);
  return small.length === 0 ? matching : fc.oneof(fc.constantFrom(...small), matching);
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
