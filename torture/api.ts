import type { History, Operation } from './history';
import type { Service } from './service';

/** Beyond every bound of the service: a request that takes longer is left hanging. */
const ANSWER_WITHIN_MS = 25_000;
/** The bounds that a run sets come to 2.2 s for a command, and to less for a read. The rest is for a busy machine. */
const LATE_AFTER_MS = 6_000;

export type Request = Pick<Operation, 'method' | 'path'> & {
  sent?: unknown;
  key?: string;
  minPosition?: string;
};

/** A position as the API states it: where, and which event is there. */
const LOG_POSITION = /^(\d+):([0-9a-f]{32})$/;

/** Sends a request, and takes down what came of it. `begun` is told before it is sent. */
export async function send(
  history: History,
  client: number,
  service: Service,
  request: Request,
  begun: (operation: Operation) => void = () => undefined,
): Promise<Operation> {
  const operation: Operation = {
    id: history.newId(),
    client,
    service: service.index,
    ...request,
    invokedAt: history.now(),
    endedAt: Infinity,
    outcome: 'unknown',
    status: 0,
  };
  begun(operation);
  const { disturbances } = service;
  try {
    const response = await fetch(service.url + request.path, {
      method: request.method,
      headers: {
        ...(request.sent === undefined ? {} : { 'content-type': 'application/json' }),
        ...(request.key === undefined ? {} : { 'idempotency-key': request.key }),
        ...(request.minPosition === undefined ? {} : { 'tally-min-position': request.minPosition }),
      },
      ...(request.sent === undefined ? {} : { body: JSON.stringify(request.sent) }),
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    operation.body = await response.json();
    operation.status = response.status;
    takePosition(operation, response.headers.get('tally-position'));
  } catch (error) {
    operation.reason = reasonOf(error);
    if (operation.reason === 'TimeoutError' && service.disturbances === disturbances) {
      history.violated(`a request was left hanging: ${describe(operation)}`);
    }
  }
  operation.endedAt = history.now();
  operation.disturbed = service.disturbances !== disturbances;
  judge(operation);
  if (
    !operation.disturbed &&
    operation.status !== 0 &&
    operation.endedAt - operation.invokedAt > LATE_AFTER_MS
  ) {
    history.violated(`a request was answered late: ${describe(operation)}`);
  }
  if (operation.status === 500) history.violated(`an internal error: ${describe(operation)}`);
  if (operation.outcome === 'ok' && operation.eventId === undefined) {
    history.violated(`an answer does not state its log position: ${describe(operation)}`);
  }
  history.operations.push(operation);
  return operation;
}

function takePosition(operation: Operation, header: string | null): void {
  const [, position, eventId] = LOG_POSITION.exec(header ?? '') ?? [];
  if (position === undefined || eventId === undefined) return;
  operation.position = Number(position);
  operation.eventId = eventId;
}

/** A position with its identity, as the header states it; undefined where the answer stated none. */
export function positionTold({ position, eventId }: Operation): string | undefined {
  return eventId === undefined ? undefined : `${position}:${eventId}`;
}

/** What the client may conclude: the promise of the API, not what the server happens to do. */
function judge(operation: Operation): void {
  const { status, body } = operation;
  if (status >= 200 && status < 300) {
    operation.outcome = 'ok';
    return;
  }
  if (status !== 0)
    operation.reason =
      String((body as { type?: string } | null)?.type)
        .split(':')
        .at(-1) ?? '';
  const mayBeDone =
    status === 0
      ? operation.reason !== 'ECONNREFUSED'
      : status >= 500 && !NOT_DONE.has(operation.reason ?? '');
  operation.outcome = mayBeDone ? 'unknown' : 'refused';
}

/** Problems of status 503 that say that nothing was changed. */
const NOT_DONE = new Set([
  'overloaded',
  'shutting-down',
  'mysql-unreachable',
  'mysql-unwritable',
  'too-large-for-mysql',
]);

function reasonOf(error: unknown): string {
  const { name, cause } = error as { name?: string; cause?: { code?: string } };
  return name === 'TimeoutError' ? name : (cause?.code ?? String(error));
}

export function describe(operation: Operation): string {
  return JSON.stringify({ ...operation, body: JSON.stringify(operation.body)?.slice(0, 300) });
}
