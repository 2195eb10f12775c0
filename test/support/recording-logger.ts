import { PassThrough } from 'node:stream';
import { type Logger, createLogger } from '../../src/runtime/logger.ts';

export interface RecordingLogger {
  readonly log: Logger;
  /** What was logged so far, one object a line. */
  readonly lines: () => Record<string, unknown>[];
}

/** The real logger, into memory. */
export function recordingLogger(level = 'trace'): RecordingLogger {
  const stream = new PassThrough();
  let text = '';
  stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return {
    log: createLogger({ level, stream, pretty: false }),
    lines: () =>
      text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}
