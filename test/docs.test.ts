import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { markdownOf } from '../bench/report/markdown';
import { plotOf } from '../bench/report/plot';
import type { Results } from '../bench/results';
import { PERMISSIONS, ROLES } from '../src/access/permissions';
import { loadConfig, SETTINGS } from '../src/config';
import { formatMinor } from '../src/domain/money';
import { PROBLEMS } from '../src/domain/problems';
import { ROUTES, type Access, type RouteName } from '../src/http/route';
import { FAULT_NAMES } from '../torture/faults';
import { PLANTED_BUGS } from '../torture/planted-bugs';
import { newPlace, startTally } from './support/tally';

const ROOT = join(__dirname, '..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

/** The rows of the table that begins with this header. */
function table(text: string, header: string): string[] {
  const lines = text.split('\n');
  const start = lines.indexOf(header);
  expect(start).toBeGreaterThan(-1);
  const rows = lines.slice(start + 2);
  return rows.slice(
    0,
    rows.findIndex((line) => !line.startsWith('|')),
  );
}

test('the README has every setting, with its default and meaning', () => {
  const defaults = new Map(Object.entries(loadConfig({ DATABASE_URL: 'mysql://h/d', REDIS_URL: 'r' })));
  const expected = Object.entries(SETTINGS.shape).map(([name, { description }]) => {
    const given = defaults.get(name);
    const shown = typeof given === 'bigint' ? formatMinor(given) : JSON.stringify(given)?.replaceAll('"', '');
    const value = given === undefined ? 'none' : `\`${shown}\``;
    const fallback = name === 'DATABASE_URL' || name === 'REDIS_URL' ? 'required' : value;
    return `| \`${name}\` | ${fallback} | ${description} |`;
  });
  expect(table(read('README.md'), '| variable | default | meaning |')).toEqual(expected);
});

test('docs/errors.md has every problem, with its status and title', () => {
  const rows = table(read('docs/errors.md'), '| problem | status | title | what to do |');
  expect(rows.map((row) => row.split(' | ').slice(0, 3).join(' | '))).toEqual(
    Object.entries(PROBLEMS).map(([slug, { status, title }]) => `| \`${slug}\` | ${status} | ${title}`),
  );
});

/** What the README says that a route needs. */
function needs(name: string): string {
  const access: Access | undefined = ROUTES[name as RouteName];
  if (access === 'open' || access === 'login') return 'nothing';
  if (access === 'caller') return 'a key or a session';
  if (access === 'session') return 'a session';
  return access === 'docs' || access === 'metrics' ? '`reports:read`, unless public' : `\`${access}\``;
}

test('the README has every scope, and what it allows', () => {
  const rows = Object.entries(PERMISSIONS).map(([name, meaning]) => `| \`${name}\` | ${meaning} |`);
  expect(table(read('README.md'), '| scope | what it allows |')).toEqual(rows);
});

test('the README has every role, and what it allows', () => {
  const rows = Object.entries(ROLES).map(
    ([name, permissions]) =>
      `| \`${name}\` | ${permissions.map((permission) => `\`${permission}\``).join(', ')} |`,
  );
  expect(table(read('README.md'), '| role | what it allows |')).toEqual(rows);
});

test('the README has every route, and what it needs', async () => {
  const place = await newPlace();
  const tally = await startTally(place);
  try {
    const { body } = await tally.get('/openapi.json');
    const routes = Object.entries(body.paths as Record<string, object>).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`),
    );
    const listed = table(read('README.md'), '| route | needs | what |').map((row) =>
      row.split(' | ').slice(0, 2),
    );
    const expected = routes.map((name) => [`| \`${name}\``, needs(name)]);
    expect(new Set(listed.map(String))).toEqual(new Set(expected.map(String)));
  } finally {
    await tally.app.close();
    await place.close();
  }
});

test('docs/guarantees.md counts every fault of the torture and every planted bug', () => {
  const guarantees = read('docs/guarantees.md');
  const counted = [...guarantees.matchAll(/^\| ([\w-]+) \| .* \| .* \|$/gm)].map(([, name]) => name);
  for (const fault of FAULT_NAMES) expect(counted).toContain(fault);
  expect(guarantees).toContain(`(${PLANTED_BUGS.length} patches of a copy of the sources)`);
});

test('docs/performance.md and its plot show what bench/results.json says', () => {
  const results = JSON.parse(read('bench/results.json')) as Results;
  expect(read('docs/performance.md')).toContain(markdownOf(results));
  expect(read('docs/performance.svg')).toBe(plotOf(results));
});

test('SECURITY.md has ten risks, and every test that it names exists', () => {
  const security = read('SECURITY.md');
  const risks = table(security, '| risk | what Tally does | tests |');
  expect(risks.map((row) => row.split(' ', 2)[1])).toEqual(
    Array.from({ length: 10 }, (_, at) => `API${at + 1}`),
  );
  for (const risk of risks) expect(risk).toContain('](test/');
  const named = [...security.matchAll(/\[([^\]]+)\]\((test\/[^)]+)\)/g)];
  const missing = named.filter(([, name, file = '']) => !read(file).includes(`('${name}', `));
  expect(missing.map(([link]) => link)).toEqual([]);
});

test('every link to a file in the documentation leads somewhere', () => {
  const documents = [
    'README.md',
    'ARCHITECTURE.md',
    'SECURITY.md',
    'docs/access.md',
    'docs/guarantees.md',
    'docs/performance.md',
    ...readdirSync(join(ROOT, 'docs/decisions')).map((file) => `docs/decisions/${file}`),
  ];
  for (const document of documents) {
    for (const [, target = ''] of read(document).matchAll(/\]\((?!https?:|#)([^)#]+)\)/g)) {
      expect(() => readdirOrFile(join(ROOT, document, '..', target))).not.toThrow();
    }
  }
});

function readdirOrFile(path: string): unknown {
  try {
    return readFileSync(path);
  } catch {
    return readdirSync(path);
  }
}

test('what a grep can prove: no KEYS command, keys spelled in one file, drivers on their own side', () => {
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter((file) =>
    /\.(ts|lua)$/.test(file),
  );
  const having = (pattern: RegExp, within = /./) =>
    sources.filter((file) => within.test(file) && pattern.test(read(join('src', file))));
  expect(having(/\.keys\(['"`]|call\('KEYS'/)).toEqual([]);
  expect(having(/[:}](order|fence|building|sold|totals)[:'"`]/, /\.ts$/)).toEqual(['read-model/keys.ts']);
  expect(having(/from 'mysql2/).every((file) => file.startsWith('mysql/'))).toBe(true);
  expect(having(/from 'ioredis/).every((file) => file.startsWith('redis/'))).toBe(true);
});
