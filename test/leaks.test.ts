import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bearer, newKey } from './support/keys';
import { Leaks, leaksIn } from './support/leaks';
import { newPlace, startTally } from './support/tally';

/*
 * That no secret is in a log or an answer is found out at the end of each run, for all of its tests: see
 * support/global-teardown.ts. These tests say that it would be seen.
 */

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'leaks-'));
});

afterEach(() => rm(directory, { recursive: true }));

test.each([
  ['a key', { authorization: `Bearer tally_0123456789ab_${'k'.repeat(43)}` }, 'k'.repeat(43)],
  ['a cookie', { cookie: 'tally_session=0123456789abc%2Fx.signature1234' }, 'id 0123456789abc/x'],
  ['a signature', { cookie: 'other=1; tally_browser=ada.signature1234' }, '"signature1234"'],
])('%s that one test has is found in the output of another, with file and line', (_, headers, leak) => {
  new Leaks(directory, 'one').secretsOf(headers);
  const other = new Leaks(directory, 'other');
  other.output('blameless\n');
  expect(leaksIn(directory)).toEqual([]);
  other.output(`a line with ${leak}\n`);
  expect(leaksIn(directory)).toEqual([`${join(directory, 'other.out')}:2`]);
});

test('whatever a test does with its log, all lines and answers of a service are watched, and its secrets known', async () => {
  const place = await newPlace();
  const token = await newKey(place, 'reader', ['reports:read']);
  const tally = await startTally(place, { LOG_LEVEL: 'silent' });
  await tally.get('/session', bearer(token));
  await tally.app.close();
  await place.close();
  const file = join(process.env.TEST_OUTPUT ?? '', 'leaks.test.ts');
  const output = await readFile(`${file}.out`, 'utf8');
  expect(output).toMatch(/"path":"\/session","status":200,.*"msg":"answered"/);
  expect(output).toContain('GET /session 200 {"kind":"program"');
  expect(await readFile(`${file}.secrets`, 'utf8')).toContain(token.slice(-43));
});
