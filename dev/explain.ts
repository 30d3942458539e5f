import { explain as explainCommand, outliveReader } from '../src/cli/explain';
import { LaunchError } from './launch-error';

/** The file system says no: the directory's owner, its mode or the disk is the cause, not the code. */
const FILE_FAULTS = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT', 'ENOTDIR', 'EEXIST']);
const DATABASE_FAULTS = new Set(['ER_ACCESS_DENIED_ERROR', 'ER_DBACCESS_DENIED_ERROR', 'ER_BAD_DB_ERROR']);

/** What errors of Node and mysql2 have besides a message. */
interface DetailedError extends Error {
  code?: string;
  syscall?: string;
  path?: string;
}

/** One clear message for what a person can fix; the stack for anything unexpected. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof LaunchError) return error.message;

  const { code = '', syscall, path }: DetailedError = error;
  if (syscall === 'connect' || syscall === 'getaddrinfo' || DATABASE_FAULTS.has(code)) {
    return `cannot reach a server (${error.message}): check DATABASE_URL, REDIS_URL and HOST`;
  }
  if (FILE_FAULTS.has(code) && path !== undefined) return `cannot use that directory: ${error.message}`;
  return explainCommand(error) ?? error.stack ?? error.message;
}

/** Runs a program that returns its exit code. An error is explained; the exit code is then 1. */
export async function runProgram(program: () => Promise<number>): Promise<void> {
  outliveReader();
  try {
    process.exitCode = await program();
  } catch (error) {
    console.error(explain(error));
    process.exitCode = 1;
  }
}
