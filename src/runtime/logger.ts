import type { Writable } from 'node:stream';
import { pino } from 'pino';
import { build as pretty } from 'pino-pretty';
import { printableLines } from './printable.ts';

/** What the code logs with; a pino logger is one. Fields first: a message without fields has nothing to search for. */
export interface Logger {
  /** Each step. */
  trace(fields: object, message: string): void;
  /** What somebody who looks for a fault needs; here alone may stand what others wrote. */
  debug(fields: object, message: string): void;
  /** What happens seldom and is right. */
  info(fields: object, message: string): void;
  /** What mends itself, or waits for somebody. */
  warn(fields: object, message: string): void;
  /** What failed. */
  error(fields: object, message: string): void;
  /** What ends the process. */
  fatal(fields: object, message: string): void;
  /** The same, with these fields on every line. */
  child(fields: object): Logger;
}

export interface LoggerOptions {
  readonly level: string;
  /** Where lines go. Default: the standard error, for the standard output belongs to programs. */
  readonly stream?: Writable;
  /** Lines for a person instead of JSON. Default: when the standard error is a terminal. */
  readonly pretty?: boolean;
}

/** Names under which secrets travel through settings and client libraries. */
const SECRET_NAMES = [
  'password',
  'redisUrl',
  'queueRedisUrl',
  'busRedisUrl',
  'connectionString',
  'secret',
  'token',
  'authorization',
];

const REDACTED = SECRET_NAMES.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

/** Lines of JSON with secrets masked; a process writes its last line before it exits, for writing is synchronous. */
export function createLogger({
  level,
  stream,
  pretty: forPerson = process.stderr.isTTY,
}: LoggerOptions): Logger {
  const destination = stream ?? pino.destination({ dest: 2, sync: true });
  return pino(
    {
      level,
      base: {},
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: REDACTED, censor: '***' },
      serializers: { err: describeError },
      // JSON escapes what is below a space; a terminal obeys more than that. Lines for a person are parsed once more.
      hooks: { streamWrite: (line) => printableLines(line, forPerson ? '\\\\u' : '\\u') },
    },
    forPerson
      ? pretty({ destination, sync: true, colorize: true, translateTime: 'HH:MM:ss.l' })
      : destination,
  );
}

/** Says nothing: for a library inside somebody's program, and for tests. */
export const silentLogger: Logger = pino({ level: 'silent' });

interface DescribedError {
  readonly type: string;
  readonly message: string;
  readonly code?: unknown;
  readonly stack?: string;
  readonly cause?: DescribedError;
}

/**
 * Of an error only what is known to be safe: clients of stores attach the command with its arguments, and those hold
 * carts, messages and passwords.
 */
function describeError(error: unknown, depth = 0): DescribedError {
  if (!(error instanceof Error)) return { type: typeof error, message: maskText(String(error)) };
  const { code } = error as NodeJS.ErrnoException;
  return {
    type: error.name,
    message: maskText(error.message),
    ...(code !== undefined && { code }),
    ...(error.stack !== undefined && { stack: maskText(error.stack) }),
    ...(error.cause !== undefined && depth < 3 && { cause: describeError(error.cause, depth + 1) }),
  };
}

function maskText(text: string): string {
  return printableLines(text)
    .replaceAll(/(\w:\/\/)[^\s/]*@/g, '$1***@')
    .replaceAll(/(with args beginning with:).*/g, '$1 ***');
}
