import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createConnection, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

type Matcher = (request: Buffer) => boolean;

const SERVER_FORGETS_MS = 20_000;

/** One connection through the proxy. */
interface Link {
  client: Socket;
  upstream: Socket;
  /** Nothing gets through in either direction any more, and nobody is told. */
  silent: boolean;
}

/**
 * A TCP proxy in front of a server, which does to connections what networks do: cuts, delays, swallows, and loses exactly
 * the answer that matters.
 */
export class Proxy {
  private server: Server | undefined;
  private readonly links = new Set<Link>();
  private frozen = false;
  private swallowing = false;
  private delayMs = 0;
  private hold: Matcher | undefined;
  private held: { deliver: () => void; isGivenUp: () => boolean } | undefined;
  private losing: Matcher | undefined;

  private constructor(
    private readonly target: { path: string } | { host: string; port: number },
    /** Where it listens, on 127.0.0.1. */
    readonly port: number,
  ) {}

  /** `target`: the path of a socket, or host and port. */
  static async start(target: { path: string } | { host: string; port: number }): Promise<Proxy> {
    const proxy = new Proxy(target, await freePort());
    await proxy.restore();
    return proxy;
  }

  /** Ends all connections, with a reset, and refuses new ones. */
  async cut(): Promise<void> {
    const refusing = this.refuse();
    this.reset();
    await refusing;
  }

  /** Takes no new connections until `restore`. Resolves when the old ones have ended. */
  async refuse(): Promise<void> {
    const server = this.server;
    this.server = undefined;
    if (server === undefined) return;
    server.close();
    await once(server, 'close');
  }

  /** Takes connections again after `cut`. */
  async restore(): Promise<void> {
    if (this.server !== undefined) return;
    const server = createServer((client) => this.connect(client));
    server.listen(this.port, '127.0.0.1');
    await once(server, 'listening');
    this.server = server;
  }

  /** Ends all connections, with a reset; new ones are taken. */
  reset(): void {
    for (const link of this.links) {
      link.client.resetAndDestroy();
      link.upstream.destroy();
    }
    this.links.clear();
  }

  /** Ends all connections for their clients, with a reset. The server is not told, and ends what it has begun. */
  breakClients(): void {
    for (const link of this.links) {
      link.silent = true;
      link.client.resetAndDestroy();
    }
  }

  /** From now on each packet takes this long, in both directions. */
  delay(ms: number): void {
    this.delayMs = ms;
  }

  /** Connections stay open and new ones are taken, but packets wait until `thaw`: a server that is stopped. */
  freeze(): void {
    this.frozen = true;
    for (const { client, upstream } of this.links) [client, upstream].forEach((socket) => socket.pause());
  }

  thaw(): void {
    this.frozen = false;
    for (const { client, upstream } of this.links) [client, upstream].forEach((socket) => socket.resume());
  }

  /**
   * Until `endBlackHole`, every packet is swallowed, on old and new connections. Those connections stay dead and open
   * afterwards: neither end is ever told.
   */
  blackHole(): void {
    this.swallowing = true;
    for (const link of this.links) link.silent = true;
  }

  endBlackHole(): void {
    this.swallowing = false;
  }

  /** The server's ends of all connections are closed; the clients are never told. New connections are as usual. */
  halfOpen(): void {
    for (const link of this.links) {
      link.silent = true;
      link.upstream.destroy();
    }
  }

  /** Keeps back the first request for which `hold` is true, until `deliverHeld`; its client may give up meanwhile. */
  holdRequest(hold: Matcher | undefined): void {
    this.hold = hold;
  }

  isHolding(): boolean {
    return this.held !== undefined;
  }

  /** Whether its client has closed the connection meanwhile. */
  isHeldRequestGivenUp(): boolean {
    return this.held?.isGivenUp() === true;
  }

  /** Delivers it after all, as a slow network does. */
  deliverHeld(): void {
    this.held?.deliver();
    this.held = undefined;
  }

  /** From now on, `lose` decides for each answer of the server whether it is lost together with its connection. */
  loseAnswers(lose: Matcher | undefined): void {
    this.losing = lose;
  }

  async close(): Promise<void> {
    await this.cut();
  }

  private connect(client: Socket): void {
    const upstream = createConnection(this.target);
    const link: Link = { client, upstream, silent: this.swallowing };
    this.links.add(link);
    let request = Buffer.alloc(0);
    for (const socket of [client, upstream]) {
      if (this.frozen) socket.pause();
      socket.setNoDelay(true);
      socket.on('error', () => undefined); // told by 'close'
    }
    const toServer = inOrder((chunk) => {
      if (!link.silent) upstream.write(chunk);
    });
    const toClient = inOrder((chunk) => {
      if (!link.silent) client.write(chunk);
    });
    let holding = false;
    client.on('data', (chunk) => {
      request = chunk;
      if (link.silent) return;
      if (this.hold?.(chunk) !== true) {
        toServer(chunk, this.delayMs);
        return;
      }
      this.hold = undefined;
      holding = true;
      this.held = {
        isGivenUp: () => client.destroyed,
        deliver: () => {
          holding = false;
          // The client may have gone: then nobody reads what the server says to it.
          if (client.destroyed) upstream.end(chunk);
          else upstream.write(chunk);
        },
      };
    });
    upstream.on('data', (chunk) => {
      if (link.silent) return;
      if (this.losing?.(request) === true) {
        client.resetAndDestroy();
        upstream.destroy();
        return;
      }
      toClient(chunk, this.delayMs);
    });
    client.on('close', () => {
      if (!holding && !link.silent) upstream.destroy();
      // A server closes what is silent for long; here it does so soon, before such connections fill it up.
      if (link.silent) setTimeout(() => upstream.destroy(), SERVER_FORGETS_MS).unref();
      if (upstream.destroyed) this.links.delete(link);
    });
    upstream.on('close', () => {
      if (!link.silent) client.destroy();
      if (client.destroyed) this.links.delete(link);
    });
  }
}

/** Passes chunks on after a delay, never one before another. */
function inOrder(pass: (chunk: Buffer) => void): (chunk: Buffer, delayMs: number) => void {
  let last: Promise<void> | undefined;
  const passAfter = async (before: Promise<void> | undefined, chunk: Buffer, delayMs: number) => {
    await Promise.all([before, delay(delayMs)]);
    pass(chunk);
  };
  return (chunk, delayMs) => {
    if (last === undefined && delayMs === 0) {
      pass(chunk);
      return;
    }
    const mine = passAfter(last, chunk, delayMs).finally(() => {
      if (last === mine) last = undefined;
    });
    last = mine;
  };
}

/**
 * A port that nobody listens on. Below the range from which systems take the ports of outgoing connections: one of those
 * could be taken before it is listened on.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer().listen(randomInt(20_000, 32_000), '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch {
      continue; // it is taken
    }
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    return port;
  }
}

/** The same DATABASE_URL, by way of a proxy. */
export async function proxyDatabase(databaseUrl: string): Promise<{ proxy: Proxy; url: string }> {
  const url = new URL(databaseUrl);
  const path = url.searchParams.get('socketPath');
  const proxy = await Proxy.start(
    path === null ? { host: url.hostname, port: Number(url.port || 3306) } : { path },
  );
  url.searchParams.delete('socketPath');
  url.host = `127.0.0.1:${proxy.port}`;
  return { proxy, url: url.href };
}

/** The same REDIS_URL, by way of a proxy. */
export async function proxyRedis(redisUrl: string): Promise<{ proxy: Proxy; url: string }> {
  const parsed = redisUrl.startsWith('/') ? undefined : new URL(redisUrl);
  const proxy = await Proxy.start(
    parsed === undefined ? { path: redisUrl } : { host: parsed.hostname, port: Number(parsed.port || 6379) },
  );
  return { proxy, url: `redis://127.0.0.1:${proxy.port}` };
}
