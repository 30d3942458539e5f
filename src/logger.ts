import { pino, type DestinationStream, type Logger } from 'pino';
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

/** An error as the log shows it. MySQL quotes values in its messages, and pino joins the messages of all causes. */
function withoutValues(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { message, stack, ...rest } = pino.stdSerializers.errWithCause(error);
  const texts = { message: withoutQuoted(message), stack: withoutQuoted(stack) };
  const fields = Object.entries(rest).filter(([name]) => !CARRIED.includes(name));
  return {
    ...Object.fromEntries(fields),
    ...texts,
    ...(error.cause === undefined ? {} : { cause: withoutValues(error.cause) }),
  };
}

/** Quoted values, but not the names of keys, columns and tables. */
function withoutQuoted(text: string): string {
  return text.replace(/(?<!(?:key|column|table|constraint) )'(?:[^'\\]|\\.)*'/gi, "'…'");
}
