import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { Problem } from '../domain/problems';
import type { Metrics } from './metrics';
import { rawProblem } from './problems';
import type { App } from './server';

/** Requests of one connection that are carried out at a time. Clients that pipeline seldom send more. */
const MAX_IN_FLIGHT = 16;
/** What may wait behind them: more than what one read from a socket brings, so only a flood comes here. */
const MAX_WAITING = 4_000;
/** What may wait in all; each costs some 2 KB. Beyond it, connections that bring more are ended. */
const MAX_WAITING_IN_ALL = 20_000;
const DRAIN_CHECK_MS = 50;

interface Connection {
  /** Requests whose answers were not handed to the operating system yet. */
  inFlight: Map<IncomingMessage, ServerResponse>;
  /** What begins the requests that wait for their turn, in order of arrival. */
  waiting: (() => void)[];
  /** The newest request, until it is answered. */
  latest: IncomingMessage | undefined;
  /** A request that was answered before all of it had come. */
  answeredEarly: IncomingMessage | undefined;
  /** The last that it says, once what it received is no request. */
  refusal: string | undefined;
}

/**
 * Bounds what connections take of the process, whatever their clients send and however little they read: a request is not
 * begun before one of those before it is answered, and nothing is read from a socket on which requests wait.
 *
 * While the server closes, complete requests in flight are answered, and further ones on the same connections refused. All
 * other connections are ended: Node itself would wait for one that is silent, or has sent half a request, for as long as
 * its client likes.
 */
export class Connections {
  private readonly connections = new Map<Socket, Connection>();
  private isClosing = false;
  private waitingInAll = 0;

  constructor(private readonly metrics: Metrics) {}

  bound(app: App, maxConnections: number): void {
    app.server.maxConnections = maxConnections;
    const inFlight = () => {
      let requests = 0;
      for (const { inFlight } of this.connections.values()) requests += inFlight.size;
      return requests;
    };
    this.metrics.watchRequests(inFlight, () => this.waitingInAll);
    // A client that expects anything else than 100-continue goes without it; and this is no proxy.
    app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
    app.server.on('connect', ({ socket }: IncomingMessage) => this.refuse({ code: 'CONNECT' }, socket));
    app.server.on('drop', () => this.metrics.connectionsRefused.inc());
    app.server.on('connection', (socket) => void this.opened(socket));
    app.addHook('onRequest', ({ raw }, reply, done) => this.begin(raw, reply.raw, done));
    app.addHook('onResponse', ({ raw }, _reply, done) => {
      this.answered(raw);
      done();
    });
    app.addHook('preClose', async () => this.drain(app));
  }

  /** For routes that send files: one that is opened when its connection has ended already is closed again. */
  closeFiles(app: Pick<App, 'addHook'>): void {
    app.addHook('onSend', ({ raw }, _reply, payload, done) => {
      if (payload instanceof Readable && raw.socket.destroyed) payload.destroy();
      done(null, payload);
    });
  }

  /** Answers what is no request, because it is not HTTP, too large or too slow, and ends the connection. */
  refuse({ code = '' }: { code?: string }, socket: Socket): void {
    const connection = this.connections.get(socket);
    if (connection?.refusal !== undefined) return; // Node goes on parsing what comes after it
    if (connection === undefined || code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
    const { slug, text } = rawProblem(code);
    this.metrics.malformedRequests.inc({ problem: slug });
    // What does not come is the rest of a request that has its answer: a second one could be taken for that to another.
    if (connection.answeredEarly?.complete === false) return void socket.destroy();
    connection.refusal = text;
    return this.endIfRefused(socket, connection);
  }

  /** The answers to the requests before it come first: a refusal must not be taken for one of them. */
  private endIfRefused(socket: Socket, { inFlight, refusal }: Connection): void {
    if (refusal === undefined || [...inFlight.keys()].some(({ complete }) => complete)) return;
    socket.write(refusal);
    socket.destroySoon();
  }

  private opened(socket: Socket): Connection {
    const connection: Connection = {
      inFlight: new Map(),
      waiting: [],
      latest: undefined,
      answeredEarly: undefined,
      refusal: undefined,
    };
    this.connections.set(socket, connection);
    socket.once('close', () => {
      this.connections.delete(socket);
      this.waitingInAll -= connection.waiting.splice(0).length;
      // Node tells only the answer that is being written. The files that the others were to send would stay open for ever.
      for (const response of connection.inFlight.values()) response.emit('close');
    });
    return connection;
  }

  private begin(request: IncomingMessage, response: ServerResponse, done: (error?: Error) => void): void {
    const { socket } = request;
    if (socket.destroyed) return; // nobody waits for an answer
    // Fastify listens on both addresses of `localhost`, and tells of the connections to one of them.
    const connection = this.connections.get(socket) ?? this.opened(socket);
    const { inFlight, waiting } = connection;
    const begin = () => {
      inFlight.set(request, response);
      done(this.isClosing ? shuttingDown() : faultOf(request));
    };
    connection.latest = request;
    if (inFlight.size < MAX_IN_FLIGHT) begin();
    else if (waiting.length >= MAX_WAITING || this.waitingInAll >= MAX_WAITING_IN_ALL) socket.destroy();
    else {
      waiting.push(begin);
      this.waitingInAll += 1;
      // Node reads on after every request that it has parsed: so after all that this chunk brought.
      process.nextTick(() => pauseWhileWaiting(socket, connection));
    }
  }

  private answered(request: IncomingMessage): void {
    const { socket } = request;
    const connection = this.connections.get(socket);
    if (connection === undefined) return;
    connection.inFlight.delete(request);
    if (!request.complete) connection.answeredEarly = request;
    if (connection.latest === request) connection.latest = undefined;
    const next = connection.waiting.shift();
    if (next !== undefined) this.waitingInAll -= 1;
    next?.();
    if (next !== undefined && connection.waiting.length === 0) socket.resume();
    // Node reads on after every answer, too.
    if (connection.waiting.length > 0) setImmediate(() => pauseWhileWaiting(socket, connection));
    this.endIfRefused(socket, connection);
  }

  private drain(app: App): void {
    this.isClosing = true;
    const timer = setInterval(() => {
      for (const [socket, { latest, inFlight }] of this.connections) {
        const isAwaited = [...inFlight.keys()].some(({ complete }) => complete);
        if (!isAwaited && latest?.complete !== true) socket.destroy();
      }
    }, DRAIN_CHECK_MS);
    app.server.once('close', () => clearInterval(timer));
    timer.unref();
  }
}

function shuttingDown(): Problem {
  const detail = 'This request changed nothing: send it to another instance, or again later.';
  return new Problem('shutting-down', detail, { retryAfterSeconds: 1 });
}

function pauseWhileWaiting(socket: Socket, { waiting }: Connection): void {
  if (waiting.length > 0) socket.pause();
}

/** What HTTP demands and Node would answer by itself, without a word. */
function faultOf({ httpVersion, headers }: IncomingMessage): Problem | undefined {
  if (httpVersion !== '1.1' || headers.host !== undefined) return undefined;
  return new Problem('malformed-request', 'The Host header is missing.');
}
