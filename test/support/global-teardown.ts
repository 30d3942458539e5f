import { rm } from 'node:fs/promises';
import { leaksIn } from './leaks';

/** Stops the servers of the run. Fails it where a secret of its tests is in a log or an answer; those files then stay. */
export default async function globalTeardown(): Promise<void> {
  await globalThis.testServers?.stop();
  const { TEST_OUTPUT } = process.env;
  if (TEST_OUTPUT === undefined) return;
  const found = leaksIn(TEST_OUTPUT);
  if (found.length > 0) throw new Error(`a secret is in a log or an answer:\n  ${found.join('\n  ')}`);
  await rm(TEST_OUTPUT, { recursive: true });
}
