/**
 * Rekindle as a library: what an application does to sessions, and what a subscriber hears.
 *
 * @packageDocumentation
 */
import { Activity } from './abandonment/activity.ts';
import { type Hot, openBus, openHot } from './compose.ts';
import { type Config, loadConfig } from './config.ts';
import type { SubscribeOptions, Subscription } from './ports/bus.ts';

export type { At, Order, SessionDetails } from './abandonment/activity.ts';
export { Activity } from './abandonment/activity.ts';
export type { Cart, CartItem } from './model/cart.ts';
export { BusUnavailableError, UnsuitableStoreError, UsageError } from './model/errors.ts';
export type {
  AnnouncedCart,
  AnyEvent,
  CartAbandonedData,
  Contact,
  EventData,
  EventType,
  RekindleEvent,
  RescueCancelledData,
} from './model/event.ts';
export type { Message } from './model/message.ts';
export type { Session } from './model/session.ts';
export type { Delivery, SubscribeOptions, Subscription } from './ports/bus.ts';

/** How to open Rekindle. */
export interface RekindleOptions {
  /** Settings by their environment names, such as `{ REDIS_URL: '…' }`; default: `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Rekindle, connected: the functions of {@link Activity}, and subscriptions to its events. */
export class Rekindle extends Activity {
  readonly #hot: Hot;
  readonly #config: Config;
  #bus: ReturnType<typeof openBus> | undefined;

  /** @internal Use {@link openRekindle}. */
  constructor(hot: Hot, config: Config, countTokens: (text: string) => number) {
    super(
      hot.sessions,
      hot.clock,
      { hotTtlMs: config.hotTtlMs, maxCart: config.maxCartBytes },
      countTokens,
    );
    this.#hot = hot;
    this.#config = config;
  }

  /** Hears events as a member of a consumer group; see `docs/events.md`. The connection is opened at the first call. */
  async subscribe(options: SubscribeOptions): Promise<Subscription> {
    this.#bus ??= openBus(this.#config);
    const bus = await this.#bus;
    return bus.subscribe(options);
  }

  /** Closes every connection. */
  async close(): Promise<void> {
    await (await this.#bus)?.close();
    await this.#hot.close();
  }
}

/**
 * Connects to the hot tier as the settings say.
 * @throws UsageError naming every setting that cannot be read
 */
export async function openRekindle({ env = process.env }: RekindleOptions = {}): Promise<Rekindle> {
  const config = loadConfig(env);
  // The tokenizer takes 60 MB: only an application that writes messages pays for it.
  const { countTokens } = await import('gpt-tokenizer/encoding/o200k_base');
  return new Rekindle(await openHot(config), config, (text) => countTokens(text));
}
