import { Client, type Dispatcher } from 'undici';
import type { PlannedRequest } from './protocol';

/** An answer that takes longer is a failure of what is measured. KEYS with HGETALL of a million orders takes its time. */
const ANSWER_WITHIN_MS = 180_000;
/** Of an answer with a wrong status, for the message. */
const SHOWN_BYTES = 500;
const HEADERS = ['content-type', 'application/json'];

/**
 * One keep-alive connection that sends one request at a time.
 *
 * On undici, because the load generator shares the cores with what it measures, and must also be able to hold a rate and to
 * send ids and bodies of ours. CPU time a request, 64 connections to a Fastify hello world (Node 20.20.2, 2 cores):
 *
 *                      GET             POST of 82 bytes
 *   node:net by hand   8.3 to 9.5 µs   10.0 to 10.7 µs
 *   undici, dispatch   10.7 to 13.6    17.1 to 18.4
 *   autocannon 9       10.4 to 12.0    15.4 to 18.6   (no open loop with bodies of one's own)
 *   wrk                4.8 to 5.3      (no open loop)
 *
 * A client written by hand would have been worth its keep had it halved the cost.
 */
export class Connection {
  private readonly client: Client;

  constructor(origin: string) {
    this.client = new Client(origin, {
      pipelining: 1,
      headersTimeout: ANSWER_WITHIN_MS,
      bodyTimeout: ANSWER_WITHIN_MS,
      keepAliveTimeout: ANSWER_WITHIN_MS,
    });
  }

  /** Calls back, without a promise: at tens of thousands of requests a second, promises show. */
  send(request: PlannedRequest, answered: () => void, failed: (reason: string) => void): void {
    const { method, path, body, status: expected } = request;
    let status = 0;
    let text = '';
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart() {},
      onResponseStart(_controller, statusCode) {
        status = statusCode;
      },
      onResponseData(_controller, chunk) {
        if (status !== expected) text += chunk.toString();
      },
      onResponseEnd() {
        if (status === expected) answered();
        else
          failed(
            `${method} ${path} was answered ${status} instead of ${expected}: ${text.slice(0, SHOWN_BYTES)}`,
          );
      },
      onResponseError(_controller, error) {
        failed(`${method} ${path} failed: ${error.message}`);
      },
    };
    this.client.dispatch(
      body === undefined ? { method, path } : { method, path, body, headers: HEADERS },
      handler,
    );
  }

  async close(): Promise<void> {
    await this.client.destroy();
  }
}
