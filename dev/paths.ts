import path from 'node:path';

export const ROOT = path.join(__dirname, '..');

/** Where `npm start` keeps its servers' data. `npm run tally` finds the servers by this directory. */
export const DEFAULT_DATA_DIR = path.join(ROOT, '.data');

/** npm runs scripts in the project's folder. The paths that somebody types are relative to where he called npm. */
export function resolveGiven(file: string): string {
  const { INIT_CWD } = process.env;
  return path.resolve(process.cwd() === ROOT && INIT_CWD ? INIT_CWD : '', file);
}
