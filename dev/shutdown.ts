import { explain } from './explain';

/**
 * One Ctrl-C sends two signals within this time: one from the terminal, one from npm. This is why we do not use
 * close-with-grace, which exits at once at the second signal.
 */
const SAME_KEY_PRESS_MS = 300;
const CLOSE_WITHIN_MS = 60_000;
const LOOK_FOR_PARENT_EVERY_MS = 1000;

/**
 * Calls `close` and exits, when the process gets a signal or an unexpected error. A second Ctrl-C exits at once.
 * @returns a function that does the same with the given exit code.
 */
export function onShutdown(
  close: () => Promise<void>,
  say: (line: string) => void,
): (exitCode: number) => void {
  let closing = false;

  async function shutDown(exitCode: number): Promise<void> {
    if (closing) return;
    closing = true;
    setTimeout(() => process.exit(1), CLOSE_WITHIN_MS);
    try {
      await close();
    } catch (error) {
      say(explain(error));
      process.exit(1);
    }
    process.exit(exitCode);
  }
  const begin = (exitCode: number) => void shutDown(exitCode);

  let firstSignalAt: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      firstSignalAt ??= performance.now();
      if (performance.now() - firstSignalAt > SAME_KEY_PRESS_MS) process.exit(130);
      if (!closing) say('stopping');
      begin(0);
    });
  }
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      say(explain(error));
      begin(1);
    });
  }
  // Nobody reads the output any more: the terminal was closed, or it was `npm start | head`.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => begin(0));

  // When npm is killed, it does not stop its script, which would run on unseen.
  if (process.env.npm_lifecycle_event !== undefined) {
    const parent = process.ppid;
    setInterval(() => {
      if (process.ppid === parent || closing) return;
      say('npm has ended: stopping');
      begin(0);
    }, LOOK_FOR_PARENT_EVERY_MS).unref();
  }
  return begin;
}
