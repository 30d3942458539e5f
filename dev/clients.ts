import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Command, defaultSearchPath, findProgram } from './command';
import { LaunchError } from './launch-error';

/** A client program with its arguments; passwords go into its environment, where other users do not see them. */
export interface Client {
  programs: string[];
  /** The Debian package that has it. */
  package: string;
  args: string[];
  env: Record<string, string>;
}

/** The client of the database that DATABASE_URL names. */
export function mysqlClient(databaseUrl: string): Client {
  const { hostname, port, username, password, pathname, searchParams } = new URL(databaseUrl);
  const socket = searchParams.get('socketPath');
  const server = socket === null ? ['--protocol=tcp', `--host=${hostname}`] : [`--socket=${socket}`];
  return {
    programs: ['mariadb', 'mysql'],
    package: 'mariadb-client-core',
    args: [
      '--no-defaults', // must come first; a password in ~/.my.cnf would win over the one in the environment
      ...server,
      ...(port && socket === null ? [`--port=${port}`] : []),
      ...(username ? [`--user=${decodeURIComponent(username)}`] : []),
      `--database=${decodeURIComponent(pathname.slice(1))}`,
    ],
    env: password ? { MYSQL_PWD: decodeURIComponent(password) } : {},
  };
}

/** The client of the Redis that REDIS_URL names. */
export function redisClient(redisUrl: string): Client {
  const common = { programs: ['redis-cli', 'valkey-cli'], package: 'redis-tools' };
  if (redisUrl.startsWith('/')) return { ...common, args: ['-s', redisUrl], env: {} };
  const url = new URL(redisUrl.includes('://') ? redisUrl : `redis://${redisUrl}`);
  const { protocol, hostname, port, username, password, pathname } = url;
  return {
    ...common,
    args: [
      '-h',
      hostname || '127.0.0.1',
      '-p',
      port || '6379',
      ...(pathname.length > 1 ? ['-n', pathname.slice(1)] : []),
      ...(username ? ['--user', decodeURIComponent(username)] : []),
      ...(protocol === 'rediss:' ? ['--tls'] : []),
    ],
    env: password ? { REDISCLI_AUTH: decodeURIComponent(password) } : {},
  };
}

/** Hands the terminal over to a client. @returns its exit code. @throws LaunchError where there is none. */
export async function runClient(client: Client, further: string[], env: NodeJS.ProcessEnv): Promise<number> {
  const program = findProgram(defaultSearchPath(env), ...client.programs);
  if (program === undefined) {
    throw new LaunchError(
      `there is no ${client.programs.join(' or ')} on this machine: install one, for example with ` +
        `apt-get install ${client.package}`,
    );
  }
  const [command, ...args]: Command = [program, ...client.args, ...further];
  const child = spawn(command, args, { stdio: 'inherit', env: { ...env, ...client.env } });
  process.on('SIGINT', () => undefined); // Ctrl-C is for the client: it cancels the line or the query
  const [code] = await once(child, 'exit');
  return typeof code === 'number' ? code : 1;
}
