import { defaultSearchPath } from './command';
import { findDocker, startService } from './compose';
import { makeHome } from './home';
import { installPackages } from './install';
import { LaunchError } from './launch-error';
import { mysql } from './mysql-server';
import { redis } from './redis-server';
import type { RunningServer, ServerKind } from './server-kind';

export type StartOptions = {
  /** Where DATABASE_URL, REDIS_URL and PATH are read. */
  env: NodeJS.ProcessEnv;
  /** Whether missing programs may be installed with apt-get. */
  allowInstall: boolean;
  /** Told, in one line each, which server is used and why. */
  log: (line: string) => void;
  /** Called when a server that was started here ends by itself. */
  onDeath?: (message: string) => void;
  /** Folders in which programs are looked for; by default those of PATH, and where Linux keeps its servers. */
  searchPath?: string[];
  /** Whether MySQL gets memory and logs for a million orders, at the price of a slower start. */
  large?: boolean;
} & (KeptData | { ephemeral: true; dataDir?: string });

interface KeptData {
  /** Whether `stop` throws the data away. That of a Compose service is always kept, in its volume. */
  ephemeral: false;
  /** Only one launcher may use it at a time: see data-lock.ts. */
  dataDir: string;
}

export interface Servers {
  databaseUrl: string;
  redisUrl: string;
  /** Stops what was started here, and only that. May be called twice. */
  stop: () => Promise<void>;
}

/**
 * Finds or starts a database and a Redis. For each on its own, the first that there is of: the server that the
 * environment names; a program on this machine, started privately; a service of Docker Compose; a program that apt-get
 * installs.
 * @throws LaunchError that says what to do, where there is none or where one does not start.
 */
export async function startServers(options: StartOptions): Promise<Servers> {
  const { env, allowInstall, log, searchPath = defaultSearchPath(env) } = options;
  const missing = [mysql, redis].filter((kind) => !env[kind.variable] && !kind.find(searchPath));
  const docker = missing.length > 0 ? await findDocker(searchPath) : undefined;
  if (missing.length > 0 && docker === undefined) {
    await installPackages({
      missing: missing.map((kind) => kind.programs).join(' and no '),
      packages: missing.flatMap((kind) => kind.packages),
      searchPath,
      allowInstall,
      log,
    });
  }

  const home = makeHome(options);

  async function start(kind: ServerKind): Promise<RunningServer> {
    const given = env[kind.variable];
    if (given) {
      log(`${kind.service}: the one that ${kind.variable} names`);
      return { url: given, stop: () => Promise.resolve() };
    }
    const startable = kind.find(searchPath);
    if (startable !== undefined) {
      log(`${kind.service}: a private one (${startable.program}), because ${kind.variable} is not set`);
      return startable.start(await home.place(kind));
    }
    if (docker === undefined) {
      throw new LaunchError(`${kind.packages.join(', ')} brought no ${kind.programs}`);
    }
    log(`${kind.service}: Docker Compose, because there is no ${kind.programs} on this machine`);
    return startService(docker, kind);
  }

  const results = await Promise.allSettled([start(mysql), start(redis)]);
  const running = results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
  async function stop(): Promise<void> {
    await Promise.all(running.map((server) => server.stop()));
    await home.leave();
  }

  const [database, readModel] = results;
  if (database.status === 'fulfilled' && readModel.status === 'fulfilled') {
    return { databaseUrl: database.value.url, redisUrl: readModel.value.url, stop };
  }
  await Promise.allSettled(running.map((server) => server.stop()));
  // An ephemeral home stays, since the error names a log in it; the next launcher removes it.
  if (!options.ephemeral) await home.leave();
  throw results.find((result) => result.status === 'rejected')?.reason;
}
