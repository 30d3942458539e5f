import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { errorCode } from '../src/domain/errors';
import type { Place, ServerKind } from './server-kind';

/** Of directories: names and addresses of people lie in them. */
export const OWNER_ONLY = 0o700;

/** The longest path of a socket: 104 bytes on macOS with the final zero, 108 on Linux. */
const SOCKET_PATH_BYTES = 103;
const LONGEST_SOCKET = 'tally-1234567-XXXXXX/mysql.sock.lock';

export interface HomeOptions {
  /** Where the data stays; without it, the data is deleted at the end. One launcher at a time: see data-lock.ts. */
  dataDir?: string;
  /** Whether MySQL gets memory and logs for a million orders. It then starts more slowly. */
  large?: boolean;
  /** Called when a server that was started here stops by itself. */
  onDeath?: (message: string) => void;
}

/** The directories of one launcher's servers. They are created when the first server needs its place. */
export interface Home {
  place(kind: ServerKind): Promise<Place>;
  /** Removes everything that is not kept. */
  leave(): Promise<void>;
}

export function makeHome({ dataDir, large = false, onDeath = () => undefined }: HomeOptions): Home {
  let made: Promise<string> | undefined;
  return {
    async place({ service }) {
      made ??= makeRunDir();
      const runDir = await made;
      const root = dataDir === undefined ? runDir : path.resolve(dataDir);
      const logDir = path.join(root, 'log');
      await mkdir(logDir, { recursive: true, mode: OWNER_ONLY });
      return {
        runDir,
        dataDir: path.join(root, service),
        logFile: path.join(logDir, `${service}.log`),
        size: large ? 'large' : dataDir === undefined ? 'small' : 'medium',
        onDeath,
      };
    },
    async leave() {
      if (made !== undefined) await rm(await made, { recursive: true, force: true });
    },
  };
}

/**
 * A private directory (0700) with a short path, for sockets and for ephemeral data. Its name contains the id of this
 * process: if a launcher was killed, the next one sees that its process is gone, and removes the directory.
 */
async function makeRunDir(): Promise<string> {
  const fits = Buffer.byteLength(path.join(os.tmpdir(), LONGEST_SOCKET)) <= SOCKET_PATH_BYTES;
  const parent = fits ? os.tmpdir() : '/tmp';
  for (const name of await readdir(parent)) {
    const pid = /^tally-(\d+)-\w{6}$/.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) {
      // We may not remove another user's directory, and it does no harm.
      await rm(path.join(parent, name), { recursive: true, force: true }).catch(() => undefined);
    }
  }
  return mkdtemp(path.join(parent, `tally-${process.pid}-`));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) !== 'ESRCH'; // EPERM: it runs as another user
  }
}
