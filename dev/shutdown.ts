import { explain } from './explain';

/**
 * npm passes a Ctrl-C on to its script, which the terminal has signalled already: two signals of one key press come
 * within this time of each other. It is why close-with-grace, to which a second signal is a second wish, is not used.
 */
const SAME_KEY_PRESS_MS = 300;
const CLOSE_WITHIN_MS = 60_000;
const LOOK_FOR_PARENT_EVERY_MS = 1000;

/**
 * Ends this process in an orderly way, once, when it is asked to or when something unexpected happens. A second Ctrl-C
 * ends it at once.
 * @returns a function that does the same with an exit code of the caller's choice.
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
  // Whoever reads the output went away: a closed terminal, or `npm start | head`. Nothing more can be said there.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => begin(0));

  // A killed npm does not tell its script, which would go on unseen.
  if (process.env.npm_lifecycle_event !== undefined) {
    const parent = process.ppid;
    setInterval(() => {
      if (process.ppid === parent || closing) return;
      say('npm went away: stopping');
      begin(0);
    }, LOOK_FOR_PARENT_EVERY_MS).unref();
  }
  return begin;
}
