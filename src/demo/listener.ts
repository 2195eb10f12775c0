import {
  type AnyEvent,
  type RekindleEvent,
  type RescueEvent,
  isRescueEvent,
} from '../model/event.ts';
import type { Delivery, Subscription } from '../ports/bus.ts';
import type { Clock } from '../ports/clock.ts';
import type { Reason } from './expectations.ts';

export interface Heard {
  readonly event: RescueEvent;
  /** When it arrived here, Unix milliseconds. */
  readonly at: number;
}

const RECEIVE_BATCH = 100;
const RECEIVE_WAIT_MS = 500;

/** The subscriber of the demo: hears events, settles them, and counts. */
export class Listener {
  /** Each event once, as they came. */
  readonly heard: Heard[] = [];
  /** What was told of messages and of orders. */
  readonly touched: RekindleEvent<'cart.touched'>[] = [];
  readonly recovered: RekindleEvent<'cart.recovered'>[] = [];
  /** Events that came again. */
  duplicates = 0;
  readonly announced: number[];
  readonly cancelled = new Map<Reason, number>();
  /** How long after its due instant each announcement arrived, in milliseconds. */
  readonly latenessMs: number[] = [];
  readonly #stagesMs: readonly number[];
  readonly #ids = new Set<string>();

  constructor(stagesMs: readonly number[]) {
    this.#stagesMs = stagesMs;
    this.announced = stagesMs.map(() => 0);
  }

  /** Until `signal` aborts. */
  async listen(subscription: Subscription, clock: Clock, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const deliveries = await subscription.receive(RECEIVE_BATCH, RECEIVE_WAIT_MS, signal);
      const at = clock.now();
      for (const { event } of deliveries) this.#note(event, at);
      await Promise.all(deliveries.map((delivery: Delivery) => delivery.done()));
    }
  }

  #note(event: AnyEvent, at: number): void {
    if (this.#ids.has(event.id)) {
      this.duplicates += 1;
      return;
    }
    this.#ids.add(event.id);
    if (event.type === 'cart.touched') this.touched.push(event);
    if (event.type === 'cart.recovered') this.recovered.push(event);
    if (!isRescueEvent(event)) return;
    this.heard.push({ event, at });
    if (event.type === 'cart.rescue_cancelled') {
      const { reason } = event.data;
      this.cancelled.set(reason, (this.cancelled.get(reason) ?? 0) + 1);
      return;
    }
    const { stage, last_activity } = event.data;
    this.announced[stage] = (this.announced[stage] ?? 0) + 1;
    this.latenessMs.push(at - Date.parse(last_activity) - (this.#stagesMs[stage] ?? 0));
  }
}

/** Nearest rank: the value that the share `p` of them does not exceed; null of none. */
export function percentile(values: readonly number[], p: number): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)] ?? null;
}
