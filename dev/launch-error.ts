/** A failure that the person at the terminal can fix. Its message is shown without a stack. */
export class LaunchError extends Error {
  override readonly name = 'LaunchError';
}
