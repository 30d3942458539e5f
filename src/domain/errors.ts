/** `error.code` of a Node, mysql2 or ioredis error, or undefined. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** The message of anything that was thrown. */
export function errorMessage(error: unknown): string {
  // An AggregateError (no address of a host answered) has an empty message of its own.
  if (error instanceof AggregateError) return error.errors.map(errorMessage).join('; ');
  if (typeof error === 'object' && error !== null && 'message' in error) return String(error.message);
  return String(error);
}
