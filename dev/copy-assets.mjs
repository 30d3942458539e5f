import { copyFile, mkdir, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

// tsc leaves behind what is not TypeScript: the Lua scripts, which the code reads from beside its own files.
const root = fileURLToPath(new URL('..', import.meta.url));

for (const file of await readdir(join(root, 'src'), { recursive: true })) {
  if (!file.endsWith('.lua')) continue;
  const copy = join(root, 'dist', file);
  await mkdir(dirname(copy), { recursive: true });
  await copyFile(join(root, 'src', file), copy);
}
