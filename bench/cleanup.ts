/** What must be undone at the end, the last thing first; also after a failure, and on Ctrl-C. */
export class Cleanup {
  private readonly steps: (() => unknown)[] = [];
  private running: Promise<void> | undefined;

  /** Returns a function that takes the step at once, and then no more. */
  add(step: () => unknown): () => Promise<void> {
    this.steps.push(step);
    return async () => {
      const index = this.steps.indexOf(step);
      if (index === -1) return;
      this.steps.splice(index, 1);
      await step();
    };
  }

  /** Takes all steps; one that fails is told and does not keep the others from being taken. May be called twice. */
  async run(): Promise<void> {
    this.running ??= (async () => {
      for (let step = this.steps.pop(); step !== undefined; step = this.steps.pop()) {
        try {
          await step();
        } catch (error) {
          console.error('while cleaning up:', error);
        }
      }
    })();
    return this.running;
  }
}
