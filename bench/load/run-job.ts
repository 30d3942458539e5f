import { Connection } from './client';
import type { Job, JobResult, PlannedRequest } from './protocol';
import { Recorder } from './recorder';

/** What the two paces share: the next request, the end, and the first failure. */
interface Run {
  recorder: Recorder;
  /** When no further request begins. */
  endsAt: number;
  /** undefined when all have been used once. */
  next(): PlannedRequest | undefined;
}

/** @throws Error at the first answer with a wrong status, or without one. */
export async function runJob(job: Job, stop: AbortSignal): Promise<JobResult> {
  const startedAt = performance.now();
  const recorder = new Recorder(startedAt + job.warmUpMs);
  let used = 0;
  const run: Run = {
    recorder,
    endsAt: startedAt + job.warmUpMs + job.durationMs,
    next: () => (job.once ? job.requests[used++] : job.requests[used++ % job.requests.length]),
  };
  stop.addEventListener('abort', () => (run.endsAt = performance.now()));
  if (job.pace.kind === 'closed') await runClosed(job.origin, job.pace.connections, run);
  else await runOpen(job.origin, { ...job.pace, startedAt }, run);
  return recorder.result();
}

async function runClosed(origin: string, count: number, run: Run): Promise<void> {
  const connections = Array.from({ length: count }, () => new Connection(origin));
  try {
    await Promise.all(
      connections.map(
        (connection) =>
          new Promise<void>((resolve, reject) => {
            const fail = (reason: string) => reject(new Error(reason));
            const sendNext = () => {
              const startedAt = performance.now();
              // One that takes longer than the warm-up and the rest together is measured all the same, once.
              const goOn = startedAt < run.endsAt || run.recorder.requests === 0;
              const request = goOn ? run.next() : undefined;
              if (request === undefined) return resolve();
              const answered = () => {
                run.recorder.answered(startedAt);
                sendNext();
              };
              connection.send(request, answered, fail);
            };
            sendNext();
          }),
      ),
    );
  } finally {
    await Promise.all(connections.map((connection) => connection.close()));
  }
}

async function runOpen(
  origin: string,
  pace: { perSecond: number; maxConnections: number; startedAt: number },
  run: Run,
): Promise<void> {
  const all: Connection[] = [];
  const idle: Connection[] = [];
  /** Begun by the clock and not yet sent, since all connections are busy: their latency is running. */
  const due: { request: PlannedRequest; intendedAt: number }[] = [];
  let begun = 0;
  let open = 0;
  try {
    await new Promise<void>((resolve, reject) => {
      const fail = (reason: string) => {
        clearInterval(timer);
        reject(new Error(reason));
      };
      const drain = () => {
        while (due.length > 0) {
          const connection = idle.pop() ?? openAnother();
          if (connection === undefined) return;
          const first = due.shift();
          if (first === undefined) return;
          open += 1;
          connection.send(
            first.request,
            () => {
              open -= 1;
              run.recorder.answered(first.intendedAt);
              idle.push(connection);
              drain();
            },
            fail,
          );
        }
      };
      const openAnother = () => {
        if (all.length >= pace.maxConnections) return undefined;
        const connection = new Connection(origin);
        all.push(connection);
        return connection;
      };
      const tick = () => {
        const now = performance.now();
        for (;;) {
          const intendedAt = pace.startedAt + (begun * 1000) / pace.perSecond;
          if (intendedAt > now || intendedAt >= run.endsAt) break;
          const request = run.next();
          if (request === undefined) break;
          begun += 1;
          due.push({ request, intendedAt });
        }
        drain();
        if (now >= run.endsAt && open === 0 && due.length === 0) {
          clearInterval(timer);
          resolve();
        }
      };
      const timer = setInterval(tick, 1);
    });
  } finally {
    await Promise.all(all.map((connection) => connection.close()));
  }
}
