import { join } from 'node:path';
import { openDrafter, openOutbox } from '../compose-agent.ts';
import { openReport } from '../compose-report.ts';
import type { Config } from '../config.ts';
import type { Rekindle } from '../index.ts';
import type { Bus } from '../ports/bus.ts';
import type { Clock } from '../ports/clock.ts';
import { buildReport } from '../rescue/report/report.ts';
import { Reporter } from '../rescue/report/reporter.ts';
import type { Subscriber } from '../rescue/subscriber.ts';
import { silentLogger } from '../runtime/logger.ts';
import { RescueDesk, messagesIn } from './rescue-desk.ts';
import type { RescueSeen } from './rescue-summary.ts';

/** Where its messages go. */
const OUTBOX = 'drafts.jsonl';

/** Nothing more comes when the rest is read. */
const READ_WITHIN_MS = 100;

/** The example agent in the demo's process, through the library as anybody's would be. */
export class RescueAtWork {
  readonly desk: RescueDesk;
  readonly #config: Config;
  readonly #clock: Clock;
  readonly #opened: AsyncDisposableStack;
  readonly #subscriber: Subscriber;

  private constructor(
    config: Config,
    clock: Clock,
    desk: RescueDesk,
    subscriber: Subscriber,
    opened: AsyncDisposableStack,
  ) {
    this.#config = config;
    this.#clock = clock;
    this.desk = desk;
    this.#subscriber = subscriber;
    this.#opened = opened;
  }

  /** @param reviewMs how long announcements are held that are looked over; none is held longer than `endsAt` says */
  static async open(
    rekindle: Rekindle,
    config: Config,
    clock: Clock,
    { reviewMs, endsAt }: { readonly reviewMs: number; readonly endsAt: () => number },
  ): Promise<RescueAtWork> {
    await using opening = new AsyncDisposableStack();
    const agentOutbox = join(config.dataDir, OUTBOX);
    const outbox = await openOutbox({ ...config, agentOutbox }, clock);
    opening.defer(() => outbox.close());
    const desk = new RescueDesk(
      {
        clock,
        outbox,
        drafter: await openDrafter(config, silentLogger),
        recall: ({ data }, request) => rekindle.recall(data.user, request),
        recordTouch: (event, touch) => rekindle.recordTouch(event, touch),
      },
      ({ time }) => Math.min(Date.parse(time) + reviewMs, endsAt()),
    );
    const subscriber = await rekindle.subscribe({
      group: config.agentGroup,
      types: ['cart.abandoned'],
      handler: desk.handler,
    });
    opening.defer(() => subscriber.stop());
    return new RescueAtWork(config, clock, desk, subscriber, opening.move());
  }

  /** Lets it finish what is in hand. */
  close(): Promise<void> {
    return this.#opened.disposeAsync();
  }

  /**
   * What it left behind, and the report, when both it and the daemon have ended. What the daemon's reporter did not come to
   * is folded here, by the same means.
   */
  async seen(bus: Bus, from: number, to: number): Promise<RescueSeen> {
    const log = await openReport(this.#config);
    const reporter = new Reporter({ bus, log, clock: this.#clock }, this.#config);
    try {
      while ((await reporter.runOnce(READ_WITHIN_MS)) > 0);
      const span = { from, to };
      const report = buildReport(await log.count(span));
      const messages = await messagesIn(join(this.#config.dataDir, OUTBOX));
      const { retried, deadLettered, timedOut } = this.#subscriber.counts;
      const failures = retried + deadLettered + timedOut;
      return { desk: this.desk, messages, failures, report, span };
    } finally {
      await reporter.close();
      await log.close();
    }
  }
}
