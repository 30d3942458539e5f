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

const FILE_FAULTS: Partial<Record<string, string>> = {
  EACCES: 'this user may not open it',
  EDQUOT: 'the quota of the disk is used up',
  EISDIR: 'it is a directory and not a file',
  ENOENT: 'there is no such file or directory',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'a part of its path is a file and not a directory',
  EPERM: 'this user may not open it',
  EROFS: 'the file system is read-only',
};

/** Why a file cannot be read or written, in words. */
export function fileFault(error: unknown): string {
  return FILE_FAULTS[errorCode(error) ?? ''] ?? errorMessage(error);
}
