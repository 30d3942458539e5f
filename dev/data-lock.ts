import { createHash } from 'node:crypto';
import { mkdir, realpath, rm } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { z } from 'zod';

/** The holder answers in the same millisecond unless it is frozen. */
const ANSWER_WITHIN_MS = 2000;

const running = z.object({
  pid: z.number(),
  dataDir: z.string(),
  databaseUrl: z.string(),
  redisUrl: z.string(),
  url: z.string(),
});
const holder = running.partial({ databaseUrl: true, redisUrl: true, url: true });

/** A launcher that has started its servers and the service. */
export type Running = z.infer<typeof running>;
/** The process that uses a data directory; the addresses are absent while it is still starting. */
export type Holder = z.infer<typeof holder>;

export type DataLock =
  /** Another process has it: `holder` is absent when that process did not say who it is. */
  | { held: false; holder: Holder | undefined }
  | {
      held: true;
      /** Tells those who ask, from now on, where the servers are. */
      publish: (addresses: Pick<Running, 'databaseUrl' | 'redisUrl' | 'url'>) => void;
      release: () => Promise<void>;
    };

/**
 * Makes this process the only launcher for a data directory, which is created if need be: a second server on one
 * directory would wait for half a minute and fail with a riddle. The lock is a listening socket, so that it goes with
 * the process and its holder can be asked who it is.
 */
export async function holdDataLock(dataDir: string): Promise<DataLock> {
  await mkdir(dataDir, { recursive: true });
  const address = await lockAddress(dataDir);
  const self: Holder = { pid: process.pid, dataDir: await realpath(dataDir) };
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined); // who asked went away
    socket.end(JSON.stringify(self) + '\n');
  });

  if (!(await listen(server, address))) {
    const answer = await ask(address);
    if (answer !== 'nobody') return { held: false, holder: answer };
    // Only a socket file can outlive its process; Linux, which has none, has let go of the name by now.
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

/** The servers that a launcher runs for this data directory, if there is one and it has finished starting. */
export async function findRunningServers(dataDir: string): Promise<Running | undefined> {
  const answer = await ask(await lockAddress(dataDir));
  return running.safeParse(answer).data;
}

/**
 * Linux has sockets without a file, which vanish with their process and so are never stale. Elsewhere the lock is a
 * socket file outside the data directory, whose path may be too long for one.
 */
async function lockAddress(dataDir: string): Promise<string> {
  // A directory that does not exist has no holder; its name as given is as good as any.
  const real = await realpath(dataDir).catch(() => path.resolve(dataDir));
  const name = `tally-${createHash('sha256').update(real).digest('hex').slice(0, 24)}`;
  return process.platform === 'linux' ? `\0${name}` : path.join(os.tmpdir(), `${name}.sock`);
}

function isAbstract(address: string): boolean {
  return address.startsWith('\0');
}

/** @returns false if the address is taken. */
function listen(server: net.Server, address: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(false) : reject(error);
    server.once('error', fail);
    server.listen(address, () => {
      server.off('error', fail);
      resolve(true);
    });
  });
}

/** @returns 'nobody' if none listens, `undefined` if the listener gives no usable answer in time. */
async function ask(address: string): Promise<Holder | 'nobody' | undefined> {
  const socket = net.connect(address);
  const timer = setTimeout(() => socket.destroy(new Error('no answer')), ANSWER_WITHIN_MS);
  try {
    return holder.parse(JSON.parse(await text(socket)));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ECONNREFUSED' || code === 'ENOENT' ? 'nobody' : undefined;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}
