import { newPlace, startTally, until, type Answer, type Place, type Tally } from '../support/tally';

/** A part of the document. */
type Json = Answer['body'];

interface Operation {
  method: string;
  path: string;
  described: Json;
}

let place: Place;
let tally: Tally;
let document: Json;
let operations: Operation[];

beforeAll(async () => {
  place = await newPlace();
  tally = await startTally(place);
  await until(async () => (await tally.get('/health/ready')).status === 200);
  document = (await tally.get('/openapi.json')).body;
  operations = Object.entries<Json>(document.paths).flatMap(([path, methods]) =>
    Object.entries<Json>(methods).map(([method, described]) => ({ method, path, described })),
  );
});

afterAll(async () => {
  await tally.app.close();
  await place.close();
});

function exampleIn({ example, examples, schema }: Json): unknown {
  const [first] = Object.values<Json>(examples ?? {});
  return example ?? first?.value ?? schema.default;
}

/** Sends what somebody sends who presses Execute in `/docs` and changes nothing. */
async function execute({ method, path, described }: Operation): Promise<Answer> {
  let url = path;
  const query = new URLSearchParams();
  const headers: Record<string, string> = {};
  for (const parameter of described.parameters ?? []) {
    const example = exampleIn(parameter);
    // With a key of the document, the second press with another body would be refused.
    if (parameter.name === 'idempotency-key' && example === undefined) continue;
    if (typeof example !== 'string') throw new Error(`no example of ${parameter.name} in ${method} ${path}`);
    if (parameter.in === 'path') url = url.replace(`{${parameter.name}}`, example);
    else if (parameter.in === 'query') query.set(parameter.name, example);
    else headers[parameter.name] = example;
  }
  url += `?${query.toString()}`;
  switch (method) {
    case 'get':
      return tally.get(url, headers);
    case 'delete':
      return tally.delete(url, headers);
    case 'post':
      return described.requestBody === undefined
        ? tally.send('POST', url, undefined, headers)
        : tally.post(url, exampleIn(described.requestBody.content['application/json']), headers);
    default:
      throw new Error(`the test does not know ${method}`);
  }
}

test('every operation takes its own examples, optional ones included', async () => {
  const answers = new Map<string, string>();
  for (const operation of operations) {
    const { status, body } = await execute(operation);
    const problem = status < 400 ? '' : ` ${body.type} ${body.detail}`;
    answers.set(operation.described.operationId, `${status}${problem}`);
  }
  // What an example names need not exist.
  const refused = [...answers].filter(
    ([, answer]) =>
      !/^20|^404 .*-not-found |^422 .*:unknown-user |^401 .*:(unauthenticated|wrong-login) /.test(answer),
  );
  expect(refused).toEqual([]);
  expect(Object.fromEntries(answers)).toMatchObject({
    createUser: '201',
    createProduct: '201',
    sales: '200',
  });
});

test('every response of a problem has an example of each problem that it may be', () => {
  let checked = 0;
  for (const { described } of operations) {
    for (const [status, { description, content }] of Object.entries<Json>(described.responses)) {
      const problem = content?.['application/problem+json'];
      if (problem === undefined) continue;
      const slugs: string[] = description.split(', ');
      expect(Object.keys(problem.examples)).toEqual(slugs);
      const [, own] = problem.schema.allOf;
      for (const slug of slugs) {
        expect(problem.examples[slug]).toEqual({ $ref: `#/components/examples/${slug}` });
        const { value } = document.components.examples[slug];
        const type = `urn:tally:problem:${slug}`;
        const text = expect.stringMatching(/^.{10,}$/);
        expect(value).toEqual({
          type,
          title: text,
          status: Number(status),
          detail: text,
          error: value.detail,
        });
        expect(own.properties.type.enum).toContain(type);
        expect(own.properties.status.enum).toEqual([value.status]);
        checked += 1;
      }
    }
  }
  expect(checked).toBeGreaterThan(100);
});
