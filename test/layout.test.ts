import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const ROOT = join(__dirname, '..');
const SRC = join(ROOT, 'src');
const HEADER = '| room of `src/` | what is in it | may import | libraries |';

interface Rule {
  rooms: string[];
  mayImport: string[] | 'everything';
  libraries: string[];
}

/** The table of ARCHITECTURE.md: who may import whom. */
function readRules(): Rule[] {
  const lines = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8').split('\n');
  const rows = lines.slice(lines.indexOf(HEADER) + 2);
  const end = rows.findIndex((line) => !line.startsWith('|'));
  return rows.slice(0, end).map((line) => {
    const [, rooms = '', , mayImport = '', libraries = ''] = line.split('|');
    return {
      rooms: namesIn(rooms),
      mayImport: mayImport.trim() === 'everything' ? 'everything' : namesIn(mayImport),
      libraries: namesIn(libraries),
    };
  });
}

function namesIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
}

/** The room of a file: its first folder below `src/`, or the file itself. */
function roomOf(file: string): string {
  return relative(SRC, file).split('/')[0] ?? '';
}

interface Import {
  file: string;
  room: string;
  /** A room of `src/`, or a library. */
  to: string;
  isLibrary: boolean;
}

function readImports(): Import[] {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  return files.flatMap((name) => {
    const file = join(SRC, name);
    const text = readFileSync(file, 'utf8');
    return [...text.matchAll(/\bfrom '([^']+)'|\bimport\('([^']+)'\)/g)].flatMap(([, from, dynamic]) => {
      const target = from ?? dynamic ?? '';
      if (target.startsWith('node:')) return [];
      const isLibrary = !target.startsWith('.');
      const path = join(dirname(file), target);
      const to = isLibrary
        ? libraryOf(target)
        : roomOf(roomOf(path) === relative(SRC, path) ? `${path}.ts` : path);
      return [{ file: name, room: roomOf(file), to, isLibrary }];
    });
  });
}

/** `mysql2/promise` is a part of `mysql2`, `@fastify/swagger` a library of its own. */
function libraryOf(target: string): string {
  return target
    .split('/')
    .slice(0, target.startsWith('@') ? 2 : 1)
    .join('/');
}

test('every import of src/ is one that the table of ARCHITECTURE.md allows', () => {
  const rules = readRules();
  const wrong = readImports().flatMap(({ file, room, to, isLibrary }) => {
    const rule = rules.find(({ rooms }) => rooms.includes(room));
    if (rule === undefined) return [`${file}: the table has no row for ${room}`];
    if (to === room || (!isLibrary && rule.mayImport === 'everything')) return [];
    const allowed = isLibrary ? rule.libraries : rule.mayImport;
    return allowed.includes(to) ? [] : [`${file} imports ${to}`];
  });
  expect(wrong).toEqual([]);
});

test('the table allows nothing that nobody needs', () => {
  const imports = readImports();
  const unneeded = readRules().flatMap(({ rooms, mayImport, libraries }) => {
    const needed = new Set(imports.filter(({ room }) => rooms.includes(room)).map(({ to }) => to));
    const allowed = mayImport === 'everything' ? libraries : [...mayImport, ...libraries];
    return allowed.filter((name) => !needed.has(name)).map((name) => `${rooms.join(', ')}: ${name}`);
  });
  expect(unneeded).toEqual([]);
});
