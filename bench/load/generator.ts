import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Job, JobResult, Order, Reply } from './protocol';

/** Beyond what the job itself may take. */
const GRACE_MS = 200_000;

/** The load generator: a process of its own, so that it shares no event loop with what it measures. */
export class Generator {
  private constructor(private readonly child: ChildProcess) {}

  static start(program: string): Generator {
    return new Generator(fork(program, { execArgv: [], serialization: 'advanced', detached: true }));
  }

  /** @throws Error with the first wrong answer, or where the job does not end. */
  async run(job: Job): Promise<JobResult> {
    const ended = new AbortController();
    try {
      const replied = once(this.child, 'message', { signal: ended.signal });
      const died = once(this.child, 'exit', { signal: ended.signal }).then(() => {
        throw new Error('the load generator ended');
      });
      const late = delay(job.warmUpMs + job.durationMs + GRACE_MS, undefined, { signal: ended.signal }).then(
        () => {
          throw new Error(`a load of ${job.durationMs} ms on ${job.origin} did not end`);
        },
      );
      // Whichever lose the race reject when they are called off.
      for (const promise of [replied, died, late]) promise.catch(() => undefined);
      this.tell({ kind: 'job', job });
      const [reply] = (await Promise.race([replied, died, late])) as [Reply];
      if (!reply.ok) throw new Error(reply.reason);
      return reply.result;
    } finally {
      ended.abort();
    }
  }

  /** Ends the job that is running before its time. */
  endJob(): void {
    this.tell({ kind: 'stop' });
  }

  stop(): void {
    this.child.kill('SIGKILL');
  }

  private tell(order: Order): void {
    this.child.send(order);
  }
}
