/**
 * Runs a step again and again, with a pause between that can be cut short. Stopping it cuts every pause short; a step that
 * waits for something else listens to the signal.
 */
export class Loop {
  private readonly stopping = new AbortController();
  private endPause: () => void = () => undefined;
  private isWanted = false;
  private running: Promise<void> | undefined;

  /** @param step returns how long to pause after it, in milliseconds. It must not throw. */
  constructor(private readonly step: (signal: AbortSignal) => Promise<number>) {}

  get signal(): AbortSignal {
    return this.stopping.signal;
  }

  start(): void {
    this.running ??= this.run();
  }

  /** Ends the pause, or, while a step runs, leaves out the pause after it. */
  wake(): void {
    this.isWanted = true;
    this.endPause();
  }

  /** Resolves when the step that runs has ended. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.endPause();
    await this.running;
  }

  private async run(): Promise<void> {
    while (!this.signal.aborted) {
      this.isWanted = false;
      const pauseMs = await this.step(this.signal);
      await this.sleep(pauseMs);
    }
  }

  /** A plain timer: an AbortController for each pause would cost an order more than its projection. */
  private async sleep(ms: number): Promise<void> {
    if (this.isWanted || this.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
