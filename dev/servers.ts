import { errorMessage } from '../src/domain/errors';
import { defaultSearchPath, run } from './command';
import { findDocker, startService } from './compose';
import { makeHome, type HomeOptions } from './home';
import { installPackages } from './install';
import { LaunchError } from './launch-error';
import { mysql } from './mysql-server';
import { redis } from './redis-server';
import type { RunningServer, ServerKind, Startable } from './server-kind';

const VERSION_WITHIN_MS = 10_000;

export interface StartOptions extends HomeOptions {
  /** Gives DATABASE_URL, REDIS_URL and PATH. */
  env: NodeJS.ProcessEnv;
  /** Whether apt-get may install missing programs. */
  allowInstall: boolean;
  /** Gets one line for each server: which one is used, and why. */
  log: (line: string) => void;
  /** The folders to search for programs; the default is `defaultSearchPath`. */
  searchPath?: string[];
}

export interface Servers {
  databaseUrl: string;
  redisUrl: string;
  /** Stops only what was started here. The volume of a Compose service always stays. May be called twice. */
  stop: () => Promise<void>;
}

/**
 * Finds or starts a database and a Redis. For each of them, the first possible way is used:
 * 1. the server that the environment names,
 * 2. a private server, from a program on this machine,
 * 3. a service of Docker Compose,
 * 4. a private server, from a program that apt-get installs.
 * @throws LaunchError that says what to do, if no way is possible or a server does not start.
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
      log(`${kind.service}: the server that ${kind.variable} names`);
      return { url: given, stop: () => Promise.resolve() };
    }
    const startable = kind.find(searchPath);
    if (startable !== undefined) {
      log(`${kind.service}: a private server (${startable.program}), because ${kind.variable} is not set`);
      await refuseOld(kind, startable);
      return startable.start(await home.place(kind));
    }
    if (docker === undefined) {
      throw new LaunchError(
        `apt-get installed ${kind.packages.join(', ')}, but there is still no ${kind.programs}`,
      );
    }
    log(`${kind.service}: Docker Compose, because there is no ${kind.programs} on this machine`);
    return startService(docker, kind);
  }

  /** Before it is started: an old server does not know every option. @throws LaunchError */
  async function refuseOld(kind: ServerKind, { program }: Startable): Promise<void> {
    const { output } = await run([program, '--version'], VERSION_WITHIN_MS);
    try {
      kind.refuseOld(output);
    } catch (error) {
      throw new LaunchError(
        `${program}: ${errorMessage(error)} Install a newer one, or set ${kind.variable}.`,
      );
    }
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
  // Without a data directory the error names a log in the home, so that home stays. The next launcher removes it.
  if (options.dataDir !== undefined) await home.leave();
  throw results.find((result) => result.status === 'rejected')?.reason;
}
