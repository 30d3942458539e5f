import { transformFile } from '@swc/core';
import { copyFile, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const ROOT = join(__dirname, '..');

/** A text of the sources, and what takes its place. */
export interface Edit {
  /** Below `src/`. */
  file: string;
  /** Stands there exactly once. */
  find: string;
  replace: string;
}

/**
 * Compiles the service into a directory of its own, with `edits` applied to this copy alone: the sources know nothing of
 * planted bugs.
 * @throws Error where an edit does not apply: then the sources have changed, and the edit must follow them.
 */
export async function buildService(directory: string, edits: Edit[] = []): Promise<void> {
  const source = join(directory, 'src');
  const files = (await readdir(join(ROOT, 'src'), { recursive: true })).filter((file) => /\.\w+$/.test(file));
  for (const file of files) {
    await mkdir(dirname(join(source, file)), { recursive: true });
    await copyFile(join(ROOT, 'src', file), join(source, file));
  }
  for (const edit of edits) await applyEdit(source, edit);
  for (const file of files.filter((name) => name.endsWith('.ts'))) {
    const { code } = await transformFile(join(source, file), {
      jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
      module: { type: 'commonjs' },
    });
    await writeFile(join(source, file.replace(/\.ts$/, '.js')), code);
  }
  await copyFile(join(ROOT, 'package.json'), join(directory, 'package.json'));
  for (const beside of ['node_modules', 'migrations'])
    await symlink(join(ROOT, beside), join(directory, beside));
}

async function applyEdit(source: string, { file, find, replace }: Edit): Promise<void> {
  const text = await readFile(join(source, file), 'utf8');
  if (text.split(find).length !== 2) {
    throw new Error(`${file} must hold exactly once what a planted bug replaces: ${find}`);
  }
  await writeFile(
    join(source, file),
    text.replace(find, () => replace),
  );
}
