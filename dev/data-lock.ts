import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, realpath, rm } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { errorCode } from '../src/domain/errors';
import { OWNER_ONLY } from './home';

/** The holder answers within a millisecond, unless its process is stopped. */
const ANSWER_WITHIN_MS = 2000;

const running = z.object({
  pid: z.number(),
  dataDir: z.string(),
  databaseUrl: z.string(),
  redisUrl: z.string(),
  url: z.string(),
});
const holder = running.partial({ databaseUrl: true, redisUrl: true, url: true });

/** A launcher whose servers and service are running. */
export type Running = z.infer<typeof running>;
/** The process that uses a data directory. It has no addresses while it is still starting. */
export type Holder = z.infer<typeof holder>;

export type DataLock =
  /** Another process has the lock. `holder` is undefined if that process did not answer. */
  | { held: false; holder: Holder | undefined }
  | {
      held: true;
      /** From now on, whoever asks is told these addresses. */
      publish: (addresses: Pick<Running, 'databaseUrl' | 'redisUrl' | 'url'>) => void;
      release: () => Promise<void>;
    };

/**
 * Makes this process the only launcher of a data directory, and creates the directory if it does not exist. Without the
 * lock, a second MySQL on the same directory waits for half a minute and then fails with a message that helps nobody.
 * The lock is a listening socket: it disappears with its process, and others can ask the holder who it is.
 */
export async function holdDataLock(dataDir: string): Promise<DataLock> {
  await mkdir(dataDir, { recursive: true, mode: OWNER_ONLY });
  const address = await lockAddress(dataDir);
  const self: Holder = { pid: process.pid, dataDir: await realpath(dataDir) };
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined); // the process that asked has ended
    socket.end(JSON.stringify(self) + '\n');
  });

  if (!(await listen(server, address))) {
    const answer = await ask(address);
    if (answer !== 'nobody') return { held: false, holder: answer };
    // Nobody listens, but the name was taken: a socket file outlived its process. On Linux, a name is free by now.
    if (!isAbstract(address)) await rm(address, { force: true });
    if (!(await listen(server, address))) return { held: false, holder: undefined };
  }
  server.unref();

  return {
    held: true,
    publish: (addresses) => {
      Object.assign(self, addresses);
    },
    release: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** What the launcher of this data directory runs; `undefined` if there is no launcher, or if it is still starting. */
export async function findRunningServers(dataDir: string): Promise<Running | undefined> {
  const answer = await ask(await lockAddress(dataDir));
  return running.safeParse(answer).data;
}

/**
 * Linux has sockets without a file; they disappear with their process. Elsewhere the lock is a socket file, but not in
 * the data directory, whose path may be too long for a socket.
 */
async function lockAddress(dataDir: string): Promise<string> {
  // A directory that does not exist has no holder, so any name will do.
  const real = await realpath(dataDir).catch(() => path.resolve(dataDir));
  const name = `tally-${createHash('sha256').update(real).digest('hex').slice(0, 24)}`;
  return process.platform === 'linux' ? `\0${name}` : path.join(os.tmpdir(), `${name}.sock`);
}

function isAbstract(address: string): boolean {
  return address.startsWith('\0');
}

/** @returns false if the address is in use. */
async function listen(server: net.Server, address: string): Promise<boolean> {
  try {
    server.listen(address);
    await once(server, 'listening');
    return true;
  } catch (error) {
    if (errorCode(error) === 'EADDRINUSE') return false;
    throw error;
  }
}

/** @returns 'nobody' if no process listens, `undefined` if the listener does not give a valid answer in time. */
async function ask(address: string): Promise<Holder | 'nobody' | undefined> {
  const socket = net.connect(address);
  const timer = setTimeout(() => socket.destroy(new Error('no answer')), ANSWER_WITHIN_MS);
  try {
    return holder.parse(JSON.parse(await text(socket)));
  } catch (error) {
    const code = errorCode(error);
    return code === 'ECONNREFUSED' || code === 'ENOENT' ? 'nobody' : undefined;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}
