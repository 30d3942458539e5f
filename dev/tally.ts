import path from 'node:path';
import { main } from '../src/main';
import { findRunningServers } from './data-lock';
import { runProgram } from './explain';
import { LaunchError } from './launch-error';
import { DEFAULT_DATA_DIR } from './paths';

/**
 * The service's command line. It uses the servers that the environment names, or else those of a running `npm start`.
 * A first option `--data-dir DIR` means those of `npm start -- --data-dir DIR`; the other arguments are passed on.
 */
async function tally(args: string[]): Promise<number> {
  const [option, dir, ...rest] = args;
  const chosen = option === '--data-dir' && dir !== undefined;
  const dataDir = chosen ? path.resolve(dir) : DEFAULT_DATA_DIR;
  const command = chosen ? rest : args;

  const wantsHelp = command.length === 0 || command.some((word) => ['help', '--help', '-h'].includes(word));
  return main(command, wantsHelp ? process.env : await withServers(process.env, dataDir));
}

async function withServers(env: NodeJS.ProcessEnv, dataDir: string): Promise<NodeJS.ProcessEnv> {
  if (env.DATABASE_URL && env.REDIS_URL) return env;
  const running = await findRunningServers(dataDir);
  if (running === undefined) {
    throw new LaunchError(
      'found no servers: run `npm start` in another terminal, or set DATABASE_URL and REDIS_URL',
    );
  }
  return {
    ...env,
    DATABASE_URL: env.DATABASE_URL || running.databaseUrl,
    REDIS_URL: env.REDIS_URL || running.redisUrl,
  };
}

void runProgram(() => tally(process.argv.slice(2)));
