import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { ROOT } from '../dev/paths';
import { Cleanup } from './cleanup';
import { markdownOf } from './report/markdown';
import { plotOf } from './report/plot';
import type { Results } from './results';
import { CASE_NAMES, runCases, type CaseName, type RunOptions } from './run-cases';

const PLOT = join(ROOT, 'docs', 'performance.svg');
const PAGE = join(ROOT, 'docs', 'performance.md');
/** What comes after it in the page is made of the results. */
const MARKER = '<!-- npm run bench -- --report bench/results.json writes what follows -->';

async function main(argv: string[], cleanup: Cleanup): Promise<number> {
  const program = new Command('bench')
    .description('Measures Tally and its baselines in one run, in turn, on servers of its own.')
    .option('--quick', 'smaller sizes, one round: done in under 90 s', false)
    .option('--cases <names>', `only these, by commas: ${CASE_NAMES.join(', ')}`, caseNames, [...CASE_NAMES])
    .option('--seed <number>', 'fixes the data set and the bodies of the requests', natural, 1)
    .option('--rounds <number>', 'how often everything is measured', natural)
    .option('--orders <numbers>', 'other sizes of the data sets, by commas', naturals)
    .option('--out <file>', 'writes the results as JSON to a file; else they are printed')
    .option(
      '--report <file>',
      'writes such a file into docs/performance.md and docs/performance.svg, and ends',
    );
  program.parse(argv, { from: 'user' });
  const { report, out, ...options } = program.opts<RunOptions & { report?: string; out?: string }>();
  if (report !== undefined) {
    const results = JSON.parse(await readFile(report, 'utf8')) as Results;
    await writeFile(PLOT, plotOf(results));
    const [own = ''] = (await readFile(PAGE, 'utf8')).split(MARKER);
    await writeFile(PAGE, `${own}${MARKER}\n\n${markdownOf(results)}\n`);
    return 0;
  }
  // After each case: a failure after half an hour leaves what was measured until then.
  const save = async (results: Results) => {
    if (out !== undefined) await writeFile(out, jsonOf(results));
  };
  const results = await runCases(options, cleanup, save);
  if (out === undefined) console.log(jsonOf(results));
  console.log(markdownOf(results));
  return 0;
}

function jsonOf(results: Results): string {
  return `${JSON.stringify(results, undefined, 2)}\n`;
}

function natural(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1)
    throw new InvalidArgumentError('It must be a whole number above 0.');
  return number;
}

function naturals(text: string): number[] {
  return text.split(',').map(natural);
}

function caseNames(text: string): CaseName[] {
  return text.split(',').map((name) => {
    const known = CASE_NAMES.find((one) => one === name);
    if (known === undefined) throw new InvalidArgumentError(`There is no case ${name}.`);
    return known;
  });
}

void (async () => {
  const cleanup = new Cleanup();
  let interrupted = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      interrupted = true;
      void cleanup.run().finally(() => process.exit(130));
    });
  }
  let exitCode = 1;
  try {
    exitCode = await main(process.argv.slice(2), cleanup);
  } catch (error) {
    if (!interrupted) console.error(error); // else it fails because its servers are being stopped
  } finally {
    await cleanup.run();
  }
  process.exit(exitCode);
})();
