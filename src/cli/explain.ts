import { ConfigError } from '../config';
import { errorCode, errorMessage } from '../domain/errors';
import { Problem } from '../domain/problems';
import { ImportFaults } from '../import/faults';
import { failureOf, whyUnwritable } from '../mysql/failures';
import { MigrationError } from '../mysql/migrate';
import { GenerationLost } from '../projections/projector/generation-lost';
import { ResyncError } from '../projections/resync/resync-error';
import { TooOld } from '../server-version';
import { NotNow } from './command';

/** Errors whose message is all that an operator needs. */
const EXPLAINED = [
  ConfigError,
  GenerationLost,
  ImportFaults,
  MigrationError,
  NotNow,
  Problem,
  ResyncError,
  TooOld,
];

/** One message for what an operator can put right; undefined for what nobody foresaw. */
export function explain(error: unknown): string | undefined {
  if (EXPLAINED.some((type) => error instanceof type)) return errorMessage(error);
  const code = errorCode(error);
  if (code === 'EADDRINUSE') {
    const { address, port } = Object(error);
    return `port ${port} of ${address} is in use: stop the program that uses it, or choose another, as in PORT=3001`;
  }
  if (Object(error).syscall === 'listen') return `cannot listen (${errorMessage(error)}): set HOST and PORT`;
  if (code === 'ER_ACCESS_DENIED_ERROR')
    return `MySQL refused the user of DATABASE_URL: ${errorMessage(error)}`;
  if (code === 'ER_NO_SUCH_TABLE' || code === 'ER_BAD_DB_ERROR')
    return 'The database has no schema of Tally yet: `tally migrate` makes it, and so does starting the service.';
  if (failureOf(error) === 'unwritable') return `${whyUnwritable(error)}: ${errorMessage(error)}`;
  if (failureOf(error) === 'unreachable') return `MySQL cannot be reached: ${errorMessage(error)}`;
  return undefined;
}

/**
 * Whoever reads the output may stop before its end, as `tally status | head -1` does. The command goes on without him: half
 * an import, or half a repair, would be worse.
 */
export function outliveReader(): void {
  process.stdout.on('error', (error) => {
    if (errorCode(error) !== 'EPIPE') throw error;
  });
}
