import { existsSync, realpathSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { createConnection } from 'mysql2/promise';
import { refuseOldMysql } from '../src/server-version';
import { startChild } from './child';
import { type Command, endingWithParent, findProgram, lastWords, run } from './command';
import { OWNER_ONLY } from './home';
import { LaunchError } from './launch-error';
import type { Place, RunningServer, ServerKind } from './server-kind';

/** MySQL 8 needs 10 s on a slow disk; this leaves room. */
const INITIALISE_WITHIN_MS = 120_000;

/** A server that root starts must be told to stay root. Changing its user would undo `endingWithParent`. */
const AS_ROOT = process.getuid?.() === 0 ? ['--user=root'] : [];

const SIZES = {
  small: { redoLogSize: '16M', bufferPoolSize: '64M' },
  medium: { redoLogSize: '96M', bufferPoolSize: '256M' },
  large: { redoLogSize: '512M', bufferPoolSize: '1G' },
};

/** How MariaDB and MySQL differ. */
interface Flavour {
  server: string;
  initialise(dataDir: string): Command;
  flags: string[];
  /** The flag for the size of the redo log. The server allocates the whole file at its first start. */
  redoLogSize: string;
}

export const mysql: ServerKind = {
  service: 'mysql',
  variable: 'DATABASE_URL',
  composeUrl: 'mysql://root:tally@127.0.0.1:3306/tally',
  programs: 'mariadbd or mysqld',
  // These have only the programs. `mariadb-server` would also start a system service.
  packages: ['mariadb-server-core', 'mariadb-client-core'],
  refuseOld: refuseOldMysql,
  find(searchPath) {
    const flavour = findFlavour(searchPath);
    return flavour && { program: flavour.server, start: (place) => start(flavour, place) };
  },
};

/** The first folder wins. If it has both, MariaDB wins. */
function findFlavour(searchPath: string[]): Flavour | undefined {
  for (const folder of searchPath) {
    const flavour = findMariadb([folder], searchPath) ?? findMysql([folder]);
    if (flavour !== undefined) return flavour;
  }
  return undefined;
}

function findMariadb(folder: string[], searchPath: string[]): Flavour | undefined {
  const mariadbd = findProgram(folder, 'mariadbd');
  const installDb = findProgram(searchPath, 'mariadb-install-db');
  if (!mariadbd || !installDb) return undefined;
  return {
    server: mariadbd,
    // Without AS_ROOT: this script does not need it, and with it fails on a path that contains a space.
    initialise: (dataDir) => [
      installDb,
      '--no-defaults',
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
      '--force', // works even if this machine cannot resolve its own name
      `--datadir=${dataDir}`,
    ],
    flags: [],
    redoLogSize: '--innodb-log-file-size',
  };
}

function findMysql(folder: string[]): Flavour | undefined {
  const mysqld = findProgram(folder, 'mysqld');
  // MariaDB installs its server under this name too, but that one cannot initialise a directory.
  if (!mysqld || path.basename(realpathSync(mysqld)) === 'mariadbd') return undefined;
  return {
    server: mysqld,
    initialise: (dataDir) => [
      mysqld,
      '--no-defaults',
      '--initialize-insecure',
      `--datadir=${dataDir}`,
      ...AS_ROOT,
    ],
    flags: ['--mysqlx=OFF', '--secure-file-priv=NULL'],
    redoLogSize: '--loose-innodb-redo-log-capacity', // loose: MySQL before 8.0.30 does not know it
  };
}

async function start(flavour: Flavour, place: Place): Promise<RunningServer & { pid: number }> {
  const { runDir, dataDir, logFile, onDeath } = place;
  const { redoLogSize, bufferPoolSize } = SIZES[place.size];
  const redoLog = `${flavour.redoLogSize}=${redoLogSize}`;
  // Not /tmp: at its start, MariaDB deletes all temporary tables there, also those of other servers.
  const tmpDir = `--tmpdir=${runDir}`;
  await initialise(dataDir, (halfDone) => [...flavour.initialise(halfDone), redoLog, tmpDir]);

  const socket = path.join(runDir, 'mysql.sock');
  const child = await startChild({
    name: path.basename(flavour.server),
    logFile,
    onDeath,
    probe: () => createDatabase(socket),
    command: [
      flavour.server,
      '--no-defaults', // must come first
      `--datadir=${dataDir}`,
      `--socket=${socket}`,
      `--pid-file=${path.join(runDir, 'mysql.pid')}`,
      '--skip-networking',
      '--max-connections=300',
      '--character-set-server=utf8mb4',
      // As durable as production, because the tests check Tally's promise here. Without the binary log, MariaDB shows a
      // commit to others before it is durable.
      '--innodb-flush-log-at-trx-commit=1',
      '--log-bin=binlog',
      '--sync-binlog=1',
      '--server-id=1',
      // There is no replica, so the binary log may be deleted before it fills the disk.
      '--binlog-expire-logs-seconds=3600',
      '--max-binlog-size=64M',
      `--innodb-buffer-pool-size=${bufferPoolSize}`,
      redoLog,
      tmpDir,
      ...flavour.flags,
      ...AS_ROOT,
    ],
  });

  const url = new URL('mysql://root@localhost/tally');
  url.searchParams.set('socketPath', socket);
  return { url: url.href, ...child };
}

/** Initialises under another name and renames at the end: half an initialisation never looks like a complete one. */
async function initialise(dataDir: string, commandFor: (halfDone: string) => Command): Promise<void> {
  if (existsSync(dataDir)) return;
  const halfDone = `${dataDir}.tmp`;
  await rm(halfDone, { recursive: true, force: true });
  await mkdir(halfDone, { mode: OWNER_ONLY });
  const command = commandFor(halfDone);
  const { exitCode, output } = await run(endingWithParent(command), INITIALISE_WITHIN_MS);
  if (exitCode !== 0) {
    throw new LaunchError(
      `${command[0]} could not initialise ${dataDir}. ${lastWords(output, 'what it printed')}`,
    );
  }
  await rename(halfDone, dataDir);
}

async function createDatabase(socketPath: string): Promise<void> {
  const connection = await createConnection({ socketPath, user: 'root', connectTimeout: 5000 });
  try {
    await connection.query({ sql: 'CREATE DATABASE IF NOT EXISTS tally', timeout: 5000 });
  } finally {
    connection.destroy();
  }
}
