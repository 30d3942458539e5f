import path from 'node:path';

export const ROOT = path.join(__dirname, '..');

/** Where `npm start` keeps the data of its servers, and where `npm run tally` looks for them. */
export const DEFAULT_DATA_DIR = path.join(ROOT, '.data');
