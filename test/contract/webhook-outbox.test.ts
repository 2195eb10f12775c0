import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingHttpHeaders, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import {
  type WebhookOptions,
  WebhookOutbox,
} from '../../src/adapters/outbox/webhook/webhook-outbox.ts';
import { PermanentError, UsageError } from '../../src/model/errors.ts';
import type { Sent } from '../../src/ports/outbox.ts';
import { outgoing } from '../support/outgoing.ts';

const AT = Date.parse('2026-03-01T12:30:00.750Z');
const SECRET = 'a very secret secret';

interface Posted {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

type Answer = (response: ServerResponse, n: number) => void;

interface Receiver extends AsyncDisposable {
  readonly url: string;
  readonly posted: readonly Posted[];
}

async function receiver(answer: Answer): Promise<Receiver> {
  const posted: Posted[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      posted.push({ method: request.method ?? '', headers: request.headers, body });
      answer(response, posted.length - 1);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/hooks/token-in-path?key=token-in-query`,
    posted,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (response) => {
    response.writeHead(code, headers).end('a body that repeats what was sent');
  };

async function send(
  answer: Answer,
  options: Partial<WebhookOptions> = {},
  signal?: AbortSignal,
): Promise<{ sent?: Sent; error?: unknown; posted: readonly Posted[] }> {
  await using server = await receiver(answer);
  const outbox = new WebhookOutbox({
    url: server.url,
    secret: SECRET,
    clock: { now: () => AT },
    timeoutMs: 5_000,
    firstWaitMs: 1,
    ...options,
  });
  return await outbox.send(outgoing(), 'the-key', signal).then(
    (sent) => ({ sent, posted: server.posted }),
    (error: unknown) => ({ error, posted: server.posted }),
  );
}

describe('an outbox that is a webhook', () => {
  test('posts the message, under its key and signed', async () => {
    const { sent, posted } = await send(status(200));
    expect(sent).toEqual({ messageId: 'the-key', channel: 'whatsapp', at: AT });
    expect(posted).toHaveLength(1);
    const [{ method, headers, body }] = posted as [Posted];
    expect(method).toBe('POST');
    expect(JSON.parse(body)).toEqual(outgoing());
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'idempotency-key': 'the-key',
    });
    // As a receiver would verify it.
    const [, t = '', v1] =
      /^t=(\d+),v1=([\da-f]{64})$/.exec(String(headers['rekindle-signature'])) ?? [];
    expect(Number(t)).toBe(Math.floor(AT / 1_000));
    expect(v1).toBe(createHmac('sha256', SECRET).update(`${t}.${body}`).digest('hex'));
  });

  test.each([
    ['{"message_id":"wamid.1"}', 'wamid.1'],
    ['{"message_id":7}', 'the-key'],
    ['null', 'the-key'],
    ['ok', 'the-key'],
    ['', 'the-key'],
    [`{"message_id":"${'x'.repeat(300)}"}`, 'the-key'],
    [`{"message_id":"big","rest":"${'x'.repeat(100_000)}"}`, 'the-key'],
  ])('takes the id of the message from an answer that has one (%#)', async (answer, id) => {
    const { sent } = await send((response) => void response.writeHead(202).end(answer));
    expect(sent?.messageId).toBe(id);
  });

  test.each([500, 503, 429, 408])('tries again after %d, under the same key', async (code) => {
    const { sent, posted } = await send((response, n) => {
      status(n < 2 ? code : 204)(response, n);
    });
    expect(sent?.messageId).toBe('the-key');
    expect(posted.map(({ headers }) => headers['idempotency-key'])).toEqual([
      'the-key',
      'the-key',
      'the-key',
    ]);
  });

  test('tries again after a connection that broke', async () => {
    const { sent, posted } = await send((response, n) => {
      if (n === 0) response.destroy();
      else status(200)(response, n);
    });
    expect(sent).toBeDefined();
    expect(posted).toHaveLength(2);
  });

  test('gives up after so many tries, for the event to be tried again later', async () => {
    const { error, posted } = await send(status(503), { retries: 2 });
    expect(posted).toHaveLength(3);
    expect(error).toMatchObject({ message: expect.stringContaining('answers 503') as string });
    expect(error).not.toBeInstanceOf(PermanentError);
  });

  test.each([400, 401, 404, 410, 422])(
    'takes %d for good, and does not try again',
    async (code) => {
      const { error, posted } = await send(status(code));
      expect(error).toBeInstanceOf(PermanentError);
      expect(posted).toHaveLength(1);
    },
  );

  test.each([301, 302, 307, 308])('follows no redirect: %d', async (code) => {
    await using elsewhere = await receiver(status(200));
    const { error, posted } = await send(status(code, { location: elsewhere.url }));
    expect(error).toBeInstanceOf(PermanentError);
    expect(String(error)).toContain('redirects are not followed');
    expect(posted).toHaveLength(1);
    expect(elsewhere.posted).toHaveLength(0);
  });

  test('does not wait for an answer that does not come', async () => {
    const { error, posted } = await send(() => undefined, { timeoutMs: 1_000, retries: 1 });
    expect(String(error)).toContain('did not answer within 1000 ms');
    expect(posted).toHaveLength(2);
  });

  test('does not wait for the rest of an answer that stops half-way', async () => {
    const { error } = await send((response) => void response.writeHead(200).write('{"mess'), {
      timeoutMs: 1_000,
      retries: 0,
    });
    expect(String(error)).toContain('did not answer within 1000 ms');
  });

  test('stops at once when it is told to, also between two tries', async () => {
    const gone = new AbortController();
    const sending = send(
      (response, n) => {
        status(503)(response, n);
        setImmediate(() => {
          gone.abort(new Error('taken back'));
        });
      },
      { firstWaitMs: 60_000 },
      gone.signal,
    );
    expect(String((await sending).error)).toContain('taken back');
  });

  test('that is closed sends nothing more', async () => {
    await using server = await receiver(status(200));
    const outbox = new WebhookOutbox({ url: server.url, secret: SECRET, clock: Date });
    await outbox.close();
    await expect(outbox.send(outgoing(), 'k')).rejects.toThrow('the outbox is closed');
    expect(server.posted).toHaveLength(0);
  });

  test.each<[string, Answer, Partial<WebhookOptions>]>([
    ['a refusal', status(400), {}],
    ['an outage', status(500), { retries: 0 }],
    ['a time-out', () => undefined, { timeoutMs: 20, retries: 0 }],
    ['a broken connection', (response) => void response.destroy(), { retries: 0 }],
  ])('says nothing secret in the error of %s', async (_what, answer, options) => {
    const { error } = await send(answer, options);
    const all = inspect(error, { depth: 9, showHidden: true });
    for (const secret of [SECRET, 'token-in-path', 'token-in-query', 'Red shoes', 'repeats'])
      expect(all).not.toContain(secret);
  });

  test('says where nobody listens', async () => {
    const outbox = new WebhookOutbox({
      url: 'http://127.0.0.1:1/hook',
      secret: SECRET,
      clock: Date,
      retries: 0,
    });
    await expect(outbox.send(outgoing(), 'k')).rejects.toThrow(
      'the webhook at http://127.0.0.1:1 cannot be reached',
    );
  });

  test.each(['ftp://example.com', 'nonsense', 'https://ann:pass@example.com/hook'])(
    'refuses the address %s, and does not repeat it',
    (url) => {
      const make = (): unknown => new WebhookOutbox({ url, secret: SECRET, clock: Date });
      expect(make).toThrow(UsageError);
      expect(make).not.toThrow('pass@');
    },
  );
});
