import { ExponentialBackoff, type RetryPolicy, handleType, retry } from 'cockatiel';
import { SECOND_MS } from '../../../model/duration.ts';
import { PermanentError, UsageError } from '../../../model/errors.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Outbox, OutgoingMessage, Sent } from '../../../ports/outbox.ts';
import { signatureOf } from './signature.ts';

export interface WebhookOptions {
  readonly url: string;
  /** Signs every request. */
  readonly secret: string;
  readonly clock: Pick<Clock, 'now'>;
  /** Bounds one attempt. Default 10 s. */
  readonly timeoutMs?: number;
  /** How often it is tried again before the caller is told. Default 3. */
  readonly retries?: number;
  /** The first wait between two attempts; it doubles. Default 250 ms. */
  readonly firstWaitMs?: number;
}

const TIMEOUT_MS = 10 * SECOND_MS;
const RETRIES = 3;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5 * SECOND_MS;

/** An answer's body is read for an id alone. */
const ANSWER_MAX = 65_536;
const ID_MAX = 256;

/** Says "not now" with a 4xx: request timeout, too early, too many requests. */
const TRANSIENT = [408, 425, 429];

/** Try again. */
class WebhookUnavailableError extends Error {
  override readonly name = 'WebhookUnavailableError';
}

/**
 * Posts each message as JSON, signed, under its `Idempotency-Key`: that nothing is delivered twice is up to the receiver,
 * for an answer may get lost. No error holds more of the address than its origin: a path may be a secret.
 */
export class WebhookOutbox implements Outbox {
  readonly #options: Required<WebhookOptions>;
  readonly #origin: string;
  readonly #retry: RetryPolicy;
  readonly #closed = new AbortController();

  /** @throws UsageError for an address that is none of HTTP, or holds credentials */
  constructor(options: WebhookOptions) {
    const url = URL.parse(options.url);
    if (!url || !/^https?:$/.test(url.protocol))
      throw new UsageError('a webhook needs an address such as https://example.com/drafts');
    if (url.username !== '' || url.password !== '')
      throw new UsageError(
        'a webhook is called without user and password: its requests are signed',
      );
    this.#origin = url.origin;
    this.#options = {
      timeoutMs: TIMEOUT_MS,
      retries: RETRIES,
      firstWaitMs: FIRST_WAIT_MS,
      ...options,
    };
    this.#retry = retry(handleType(WebhookUnavailableError), {
      maxAttempts: this.#options.retries,
      backoff: new ExponentialBackoff({
        initialDelay: this.#options.firstWaitMs,
        maxDelay: LONGEST_WAIT_MS,
      }),
    });
  }

  /** @throws PermanentError for any other 4xx, and for a redirect: none is followed */
  async send(message: OutgoingMessage, key: string, signal?: AbortSignal): Promise<Sent> {
    const over = AbortSignal.any([this.#closed.signal, ...(signal ? [signal] : [])]);
    const body = JSON.stringify(message);
    // The wait between two attempts hears no signal: so who sends does not wait for it.
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const abort = (): void => reject(over.reason as Error);
    over.addEventListener('abort', abort, { once: true });
    try {
      over.throwIfAborted();
      const posted = this.#retry.execute(() => this.#post(body, key, over), over);
      const messageId = (await Promise.race([posted, aborted])) ?? key;
      return { messageId, channel: message.channel, at: this.#options.clock.now() };
    } finally {
      over.removeEventListener('abort', abort);
    }
  }

  async sent(): Promise<undefined> {
    // The receiver knows, and is asked by sending again.
    await Promise.resolve();
  }

  /** Gives up what is under way. */
  async close(): Promise<void> {
    this.#closed.abort(new Error('the outbox is closed'));
    await Promise.resolve();
  }

  /** @returns the receiver's id of the message, where it says one */
  async #post(body: string, key: string, over: AbortSignal): Promise<string | undefined> {
    over.throwIfAborted();
    const { url, secret, clock, timeoutMs } = this.#options;
    const tooLate = AbortSignal.timeout(timeoutMs);
    try {
      const response = await fetch(url, {
        method: 'POST',
        redirect: 'manual',
        headers: {
          'content-type': 'application/json',
          'idempotency-key': key,
          'rekindle-signature': signatureOf(secret, body, clock.now()),
        },
        body,
        signal: AbortSignal.any([over, tooLate]),
      });
      if (!response.ok) {
        await response.body?.cancel();
        throw this.#refusal(response.status);
      }
      return idIn(await beginningOf(response));
    } catch (error) {
      if (error instanceof PermanentError || error instanceof WebhookUnavailableError) throw error;
      over.throwIfAborted();
      // Without the cause: it may hold the address.
      throw new WebhookUnavailableError(
        `the webhook at ${this.#origin} ${tooLate.aborted ? `did not answer within ${timeoutMs} ms` : 'cannot be reached'}`,
      );
    }
  }

  #refusal(status: number): Error {
    const says = `the webhook at ${this.#origin} answers ${status}`;
    if (status >= 500 || TRANSIENT.includes(status)) return new WebhookUnavailableError(says);
    return new PermanentError(status < 400 ? `${says}: redirects are not followed` : says);
  }
}

async function beginningOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const body = response.body as AsyncIterable<Uint8Array> | null;
  for await (const chunk of body ?? []) {
    chunks.push(chunk);
    length += chunk.length;
    // Leaving the loop cancels the rest.
    if (length > ANSWER_MAX) return '';
  }
  return Buffer.concat(chunks).toString();
}

function idIn(answer: string): string | undefined {
  try {
    const value = JSON.parse(answer) as { readonly message_id?: unknown } | null;
    const id = value?.message_id;
    return typeof id === 'string' && id !== '' && id.length <= ID_MAX ? id : undefined;
  } catch {
    return undefined;
  }
}
