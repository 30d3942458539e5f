import '../src/node-version';
import { loadConfig } from '../src/config';
import { main } from '../src/main';
import { mysqlClient, redisClient, runClient } from './clients';
import { findRunningServers } from './data-lock';
import { runProgram } from './explain';
import { LaunchError } from './launch-error';
import { DEFAULT_DATA_DIR, resolveGiven } from './paths';

const MORE_HELP = `
With npm run tally:
  --data-dir DIR      as the first option: the servers of \`npm start -- --data-dir DIR\`
  mysql [args...]      open a client of the database; further arguments are passed on
  redis-cli [args...]  open a client of Redis; further arguments are passed on`;

/**
 * The service's command line. It uses the servers that the environment names, or else those of a running `npm start`.
 * A first option `--data-dir DIR` means those of `npm start -- --data-dir DIR`; the other arguments are passed on.
 */
async function tally(args: string[]): Promise<number> {
  const [option, dir, ...rest] = args;
  const chosen = option === '--data-dir' && dir !== undefined;
  const dataDir = chosen ? resolveGiven(dir) : DEFAULT_DATA_DIR;
  const command = chosen ? rest : args;
  process.chdir(resolveGiven('')); // for --dir and --findings

  const [name, ...further] = command;
  if (name === 'mysql' || name === 'redis-cli') {
    const env = await withServers(process.env, dataDir);
    const { DATABASE_URL, REDIS_URL } = loadConfig(env);
    return runClient(name === 'mysql' ? mysqlClient(DATABASE_URL) : redisClient(REDIS_URL), further, env);
  }
  return main(command, () => withServers(process.env, dataDir), MORE_HELP);
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
