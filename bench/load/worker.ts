import type { Order, Reply } from './protocol';
import { runJob } from './run-job';

/** The process of the load generator: takes one job at a time from its parent. */
let running = new AbortController();
process.on('message', (order: Order) => {
  if (order.kind === 'stop') {
    running.abort();
    return;
  }
  running = new AbortController();
  void runJob(order.job, running.signal).then(
    (result) => reply({ ok: true, result }),
    (error: unknown) => reply({ ok: false, reason: error instanceof Error ? error.message : String(error) }),
  );
});
process.once('disconnect', () => process.exit(0));

function reply(message: Reply): void {
  process.send?.(message);
}
