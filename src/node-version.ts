import { readFileSync } from 'node:fs';
import { join } from 'node:path';

// The first import of every program, and itself without an import of ours: what follows fails on an old Node with errors
// that nobody understands.
const { engines } = JSON.parse(readFileSync(join(__dirname, '..', 'package.json'), 'utf8'));
const needed = String(engines.node).replace('>=', '');

if (parseInt(process.versions.node) < parseInt(needed)) {
  console.error(`Tally needs Node ${needed} or later; this is Node ${process.versions.node}.`);
  process.exit(1);
}
