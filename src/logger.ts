import { pino, type DestinationStream, type Logger, type SerializedError } from 'pino';
import type { Config } from './config';

export function createLogger(config: Pick<Config, 'LOG_LEVEL'>, stream?: DestinationStream): Logger {
  const options = {
    level: config.LOG_LEVEL,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: withoutValues },
  };
  return pino(options, stream);
}

/** What the errors of mysql2 and ioredis carry of the statement or command that failed: people's names and addresses. */
const CARRIED = ['sql', 'sqlMessage', 'command', 'raw', 'aggregateErrors'];

/** An error as the log and the command line show it. MySQL quotes values in its messages, and pino joins the messages of all causes. */
export function withoutValues(error: unknown): unknown {
  return error instanceof Error ? cleaned(pino.stdSerializers.errWithCause(error)) : error;
}

function cleaned({
  message,
  stack,
  cause,
  ...rest
}: SerializedError & { cause?: SerializedError }): Record<string, unknown> {
  const fields = Object.entries(rest).filter(([name]) => !CARRIED.includes(name));
  return {
    ...Object.fromEntries(fields),
    message: withoutQuoted(message),
    stack: withoutQuoted(stack),
    ...(cause === undefined ? {} : { cause: cleaned(cause) }),
  };
}

/** Quoted values, but not the names of keys, columns and tables. */
function withoutQuoted(text: string): string {
  return text.replace(/(?<!(?:key|column|table|constraint) )'(?:[^'\\]|\\.)*'/gi, "'…'");
}
