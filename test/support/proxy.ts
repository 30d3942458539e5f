import { createConnection, createServer, type Socket } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';

/** Stands between the service and a server, and can take the server away. */
export interface Proxy {
  socketPath: string;
  /** Ends all connections and refuses new ones. */
  cut(): Promise<void>;
  restore(): Promise<void>;
  /** Connections stay open and new ones are taken, but nothing gets through: a server that is stopped or cut off. */
  freeze(): void;
  thaw(): void;
  /** Keeps back the first request for which `hold` is true, until `deliverHeld`; its client may give up meanwhile. */
  holdRequest(hold: (request: Buffer) => boolean): void;
  /** Whether a request is being kept back. */
  isHolding(): boolean;
  /** Delivers it after all, as a slow network does. */
  deliverHeld(): void;
  /** From now on, `drop` decides for each answer of the server whether it is lost together with its connection. */
  onAnswer(drop: ((request: Buffer) => boolean) | undefined): void;
  close(): Promise<void>;
}

/** `target`: the path of a socket, or host and port. */
async function startProxy(target: { path: string } | { host: string; port: number }): Promise<Proxy> {
  const directory = await mkdtemp(join(tmpdir(), 'tally-proxy-'));
  const socketPath = join(directory, 's');
  const sockets = new Set<Socket>();
  let drop: ((request: Buffer) => boolean) | undefined;
  let frozen = false;
  let hold: ((request: Buffer) => boolean) | undefined;
  let held: (() => void) | undefined;

  const listen = async () => {
    const server = createServer((client) => {
      const upstream = createConnection(target);
      let request = Buffer.alloc(0);
      for (const socket of [client, upstream]) {
        sockets.add(socket);
        if (frozen) socket.pause();
        socket.on('close', () => sockets.delete(socket));
        socket.on('error', () => undefined);
      }
      client.on('data', (chunk) => {
        request = chunk;
        if (hold?.(chunk) !== true) {
          upstream.write(chunk);
          return;
        }
        hold = undefined;
        held = () => upstream.end(chunk);
      });
      upstream.on('data', (chunk) => {
        if (drop?.(request) === true) {
          client.destroy();
          upstream.destroy();
          return;
        }
        client.write(chunk);
      });
      client.on('close', () => {
        if (held === undefined) upstream.destroy();
      });
      upstream.on('close', () => client.destroy());
    });
    server.listen(socketPath);
    await once(server, 'listening');
    return server;
  };

  let server: Awaited<ReturnType<typeof listen>> | undefined = await listen();
  const cut = async () => {
    const closing = server;
    server = undefined;
    for (const socket of sockets) socket.destroy();
    if (closing !== undefined) await new Promise((resolve) => closing.close(resolve));
  };
  return {
    socketPath,
    cut,
    async restore() {
      server ??= await listen();
    },
    freeze() {
      frozen = true;
      for (const socket of sockets) socket.pause();
    },
    thaw() {
      frozen = false;
      for (const socket of sockets) socket.resume();
    },
    holdRequest: (decide) => (hold = decide),
    isHolding: () => held !== undefined,
    deliverHeld() {
      held?.();
      held = undefined;
    },
    onAnswer: (decide) => (drop = decide),
    async close() {
      await cut();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** The same DATABASE_URL, by way of a proxy. */
export async function proxyDatabase(databaseUrl: string): Promise<{ proxy: Proxy; url: string }> {
  const url = new URL(databaseUrl);
  const path = url.searchParams.get('socketPath');
  const proxy = await startProxy(
    path === null ? { host: url.hostname, port: Number(url.port || 3306) } : { path },
  );
  url.searchParams.set('socketPath', proxy.socketPath);
  return { proxy, url: url.href };
}

/** The same REDIS_URL, by way of a proxy. */
export async function proxyRedis(redisUrl: string): Promise<{ proxy: Proxy; url: string }> {
  const isPath = redisUrl.startsWith('/');
  const parsed = isPath ? undefined : new URL(redisUrl);
  const proxy = await startProxy(
    parsed === undefined ? { path: redisUrl } : { host: parsed.hostname, port: Number(parsed.port || 6379) },
  );
  return { proxy, url: proxy.socketPath };
}
