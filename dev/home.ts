import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Place, ServerKind } from './server-kind';

/** sun_path holds 108 bytes on Linux and 104 elsewhere, with its final zero. */
const SOCKET_PATH_BYTES = 103;
const LONGEST_SOCKET = 'tally-1234567-XXXXXX/mysql.sock.lock';

export interface HomeOptions {
  ephemeral: boolean;
  /** Where kept data goes. */
  dataDir?: string;
  large?: boolean;
  onDeath?: (message: string) => void;
}

/** The directories of the servers that one launcher starts; made when the first of them needs its place. */
export interface Home {
  place(kind: ServerKind): Promise<Place>;
  /** Removes what is not to be kept. */
  leave(): Promise<void>;
}

export function makeHome({ ephemeral, dataDir, large = false, onDeath }: HomeOptions): Home {
  let made: Promise<string> | undefined;
  return {
    async place({ service }) {
      made ??= makeRunDir();
      const runDir = await made;
      const root = ephemeral || dataDir === undefined ? runDir : path.resolve(dataDir);
      const logDir = path.join(root, 'log');
      await mkdir(logDir, { recursive: true });
      return {
        runDir,
        dataDir: path.join(root, service),
        logFile: path.join(logDir, `${service}.log`),
        ephemeral,
        large,
        onDeath: (message) => onDeath?.(message),
      };
    },
    async leave() {
      if (made !== undefined) await rm(await made, { recursive: true, force: true });
    },
  };
}

/**
 * A private directory (0700) with a short path for sockets, and for the data of servers that are thrown away. Its name
 * carries the id of this process, so that what a killed launcher left behind is recognised and removed here.
 */
async function makeRunDir(): Promise<string> {
  const fits = Buffer.byteLength(path.join(os.tmpdir(), LONGEST_SOCKET)) <= SOCKET_PATH_BYTES;
  const parent = fits ? os.tmpdir() : '/tmp';
  for (const name of await readdir(parent)) {
    const pid = /^tally-(\d+)-\w{6}$/.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) {
      // Another user's directory is not ours to remove, and not in the way.
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
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'; // EPERM: alive, and another user's
  }
}
