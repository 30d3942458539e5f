import path from 'node:path';
import { type Command, findProgram, run, tail } from './command';
import { LaunchError } from './launch-error';
import { ROOT } from './paths';
import type { RunningServer, ServerKind } from './server-kind';

/** A running engine answers at once. A client without an engine may wait for the network. */
const ANSWER_WITHIN_MS = 10_000;
/** The first start pulls the images. */
const START_WITHIN_MS = 600_000;
const STOP_WITHIN_MS = 60_000;

/** The path of docker, or `undefined` if no engine answers: many machines have only the client. */
export async function findDocker(searchPath: string[]): Promise<string | undefined> {
  const docker = findProgram(searchPath, 'docker');
  if (docker === undefined) return undefined;
  const engine = await run([docker, 'info'], ANSWER_WITHIN_MS);
  if (engine.exitCode !== 0) return undefined;
  const compose = await run([docker, 'compose', 'version'], ANSWER_WITHIN_MS);
  return compose.exitCode === 0 ? docker : undefined;
}

/** Starts one service of docker-compose.yml and waits until it is healthy. Its volume keeps the data. */
export async function startService(docker: string, kind: ServerKind): Promise<RunningServer> {
  const file = path.join(ROOT, 'docker-compose.yml');
  const compose: Command = [docker, 'compose', '--file', file];
  const { exitCode, output } = await run([...compose, 'up', '-d', '--wait', kind.service], START_WITHIN_MS);
  if (exitCode !== 0)
    throw new LaunchError(`docker compose could not start ${kind.service}:\n${tail(output)}`);
  return {
    url: kind.composeUrl,
    stop: async () => {
      const stopped = await run([...compose, 'stop', kind.service], STOP_WITHIN_MS);
      if (stopped.exitCode !== 0) {
        throw new LaunchError(`docker compose could not stop ${kind.service}:\n${tail(stopped.output)}`);
      }
    },
  };
}
