import '../src/node-version';
import path from 'node:path';
import type { Writable } from 'node:stream';
import { parseArgs } from 'node:util';
import pretty from 'pino-pretty';
import { startApp } from '../src/app';
import { loadConfig } from '../src/config';
import { quoted } from './command';
import { type DataLock, holdDataLock } from './data-lock';
import { explain } from './explain';
import { LaunchError } from './launch-error';
import { DEFAULT_DATA_DIR, resolveGiven } from './paths';
import { startServers } from './servers';
import { onShutdown } from './shutdown';
import { watchService } from './watch';
import { developerWelcome, welcome } from './welcome';

const USAGE = `Usage: npm start -- [options]
       npm run dev -- [options]

Starts Tally, and a database and a Redis for it unless DATABASE_URL and REDIS_URL name them.
With "npm run dev", Tally restarts when a file in src/ or migrations/ changes; the servers keep running.

Options:
  --data-dir DIR  where the servers that it starts keep their data (default: .data)
  --no-install    never install missing servers with apt-get
  --watch         restart the service when a file changes: "npm run dev" adds this
  --help          show this`;

interface Options {
  dataDir: string;
  allowInstall: boolean;
  watch: boolean;
}

/** The launcher writes to stderr: stdout has only the service's log. */
function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** @returns `undefined` for --help. */
function readOptions(args: string[]): Options | undefined {
  try {
    const { values } = parseArgs({
      args,
      options: {
        'data-dir': { type: 'string', default: DEFAULT_DATA_DIR },
        'no-install': { type: 'boolean', default: false },
        watch: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) return undefined;
    return {
      dataDir: resolveGiven(values['data-dir']),
      allowInstall: !values['no-install'],
      watch: values.watch,
    };
  } catch (error) {
    throw new LaunchError(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  }
}

async function lock(dataDir: string): Promise<DataLock & { held: true }> {
  const dataLock = await holdDataLock(dataDir);
  if (dataLock.held) return dataLock;
  const { holder } = dataLock;
  const dir = path.relative('', dataDir) || dataDir;
  if (holder === undefined) throw new LaunchError(`${dir} is in use by a process that does not answer`);
  const where = holder.url === undefined ? 'still starting' : holder.url;
  throw new LaunchError(
    `${dir} is in use by process ${holder.pid} (${where}): stop it with Ctrl-C or kill ${holder.pid}`,
  );
}

/** Whether somebody has been given access, so that others are refused. */
async function needsKey(url: string): Promise<boolean> {
  return (await fetch(`${url}/session`)).status === 401;
}

function logStream(): Writable {
  return process.stdout.isTTY ? pretty({ ignore: 'pid,hostname', sync: true }) : process.stdout;
}

/** Those that are named, or ones that are to come. */
function serversOf({ DATABASE_URL, REDIS_URL }: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { DATABASE_URL: DATABASE_URL || 'mysql://to-come/tally', REDIS_URL: REDIS_URL || '/to-come' };
}

/** A step that fails does not keep the later ones from being done. */
async function undoAll([step, ...later]: (() => Promise<void>)[]): Promise<void> {
  try {
    await step?.();
  } finally {
    if (later.length > 0) await undoAll(later);
  }
}

function start({ dataDir, allowInstall, watch }: Options): void {
  /** How to undo what was done so far, starting with the latest. */
  const undo: (() => Promise<void>)[] = [];
  let stopping = false;

  async function up(): Promise<void> {
    // Before servers are started, and perhaps installed, for nothing.
    loadConfig({ ...process.env, ...serversOf(process.env) });
    const dataLock = process.env.DATABASE_URL && process.env.REDIS_URL ? undefined : await lock(dataDir);
    if (dataLock) undo.unshift(dataLock.release);

    const options = { env: process.env, dataDir, allowInstall, log: say, onDeath };
    const { databaseUrl, redisUrl, stop } = await startServers(options);
    undo.unshift(stop);
    if (stopping) return;

    const env = { ...process.env, DATABASE_URL: databaseUrl, REDIS_URL: redisUrl };
    const config = loadConfig(env);
    const service = watch
      ? watchService({ env, config, log: logStream(), onDeath })
      : await startApp(config, { logStream: logStream() });
    undo.unshift(() => service.close());

    dataLock?.publish({ databaseUrl, redisUrl, url: service.url });
    const cli =
      `npm run tally -- ${dataDir === DEFAULT_DATA_DIR ? '' : `--data-dir ${quoted(dataDir)}`}`.trimEnd();
    if (watch) say(developerWelcome(service.url, cli));
    else say(welcome(service.url, cli, { docs: config.DOCS, needsKey: await needsKey(service.url) }));
  }

  const starting = up();
  const shutDown = onShutdown(async () => {
    stopping = true;
    await starting.catch(() => undefined); // its error is printed below
    await undoAll(undo);
  }, say);

  function onDeath(message: string): void {
    say(message);
    shutDown(1);
  }

  starting.catch((error: unknown) => {
    say(explain(error));
    shutDown(1);
  });
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) console.log(USAGE);
  else start(options);
} catch (error) {
  say(explain(error));
  process.exitCode = 1;
}
