import path from 'node:path';

export const ROOT = path.join(__dirname, '..');

/** Where `npm start` keeps its servers' data. `npm run tally` finds the servers by this directory. */
export const DEFAULT_DATA_DIR = path.join(ROOT, '.data');
