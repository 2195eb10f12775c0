import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { createLogger } from '../../../src/runtime/logger.ts';
import { recordingLogger } from '../../support/recording-logger.ts';

const SECRET = 'hunter2';

test('a line is JSON with time, level in words, fields and message', () => {
  const { log, lines } = recordingLogger('info');
  log.debug({}, 'not heard');
  log.child({ loop: 'look' }).info({ users: 3 }, 'looked');
  expect(lines()).toEqual([
    { time: expect.any(String) as string, level: 'info', loop: 'look', users: 3, msg: 'looked' },
  ]);
});

test('of an error only what is safe is logged: no command with its arguments, no credential', () => {
  const { log, lines } = recordingLogger();
  const cause = Object.assign(new Error(`connect to redis://u:${SECRET}@host failed`), {
    code: 'ECONN',
  });
  const error = Object.assign(
    new Error(`ERR unknown command 'FOO', with args beginning with: '${SECRET}'`, { cause }),
    { command: { name: 'hset', args: ['session:u1', SECRET] } },
  );
  log.error({ err: error }, 'failed');
  const [line] = lines();
  expect(JSON.stringify(line)).not.toContain(SECRET);
  expect(line).toMatchObject({ err: { type: 'Error', cause: { code: 'ECONN' } } });
});

test('what is no error is logged as what it is', () => {
  const { log, lines } = recordingLogger();
  log.error({ err: 'a text' }, 'failed');
  log.error({ err: undefined }, 'failed');
  expect(lines()[0]).toMatchObject({ err: { message: 'a text' } });
});

test('fields that hold secrets are masked', () => {
  const { log, lines } = recordingLogger();
  log.info({ password: SECRET, config: { redisUrl: SECRET, deep: { token: SECRET } } }, 'settings');
  expect(JSON.stringify(lines())).not.toContain(SECRET);
});

test('lines for a person are no JSON', async () => {
  const stream = new PassThrough();
  createLogger({ level: 'info', stream, pretty: true }).info({ users: 3 }, 'looked');
  await once(stream, 'readable');
  const text = String(stream.read());
  expect(text).toContain('looked');
  expect(text.startsWith('{')).toBe(false);
});

test.each([false, true])(
  'no text forges a line, or is obeyed by a terminal: pretty %s',
  async (pretty) => {
    const stream = new PassThrough();
    const log = createLogger({ level: 'info', stream, pretty });
    const hostile = 'a\r\n{"level":"fatal"}\u001b[2J\u009b2J\u202e\u2028\u007f';
    log.info({ user: hostile, err: new Error(hostile) }, 'a session is understood again');
    await once(stream, 'readable');
    const text = String(stream.read());
    // Its own colours apart.
    expect(text.replaceAll(/\u001b\[\d+m/g, '')).not.toMatch(/[^\n\P{C}]|[\u2028\u2029]/u);
    if (!pretty) expect(text.trimEnd()).not.toContain('\n');
  },
);
