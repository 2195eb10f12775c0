/**
 * The reporter: a member of a consumer group of its own that folds every event into the report.
 *
 *   receive ──▶ fold (durable, with the events' ids) ──▶ done ──▶ receive …
 *
 * Whatever it dies of between two of these, the events come again and change nothing. What could not be folded or settled
 * stays in hand and is tried again before anything new is received: a disk that is full makes no dead letters.
 */
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../model/duration.ts';
import { errorMessage } from '../../model/errors.ts';
import type { Bus, Delivery, Subscription } from '../../ports/bus.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Jobs } from '../../ports/jobs.ts';
import type { RescueFact, RescueLog } from '../../ports/rescue-log.ts';
import type { Health } from '../../runtime/health.ts';
import type { Logger } from '../../runtime/logger.ts';
import { Loop, type RunResult } from '../../runtime/loop.ts';
import { type Service, serviceOf } from '../../runtime/service.ts';
import type { Telemetry } from '../../runtime/telemetry.ts';
import { factOf } from './fact.ts';

/** The consumer group of the report. */
export const REPORT_GROUP = 'rekindle-report';

export interface ReporterPorts {
  readonly bus: Bus;
  readonly log: RescueLog;
  readonly clock: Clock;
  readonly jobs: Pick<Jobs, 'register'>;
}

export interface ReporterSettings {
  /** How long after it was decided a fact is kept. */
  readonly reportTtlMs: number;
}

export interface ReporterTools {
  readonly log: Logger;
  readonly telemetry: Telemetry;
  readonly health: Health;
}

/** Events that one transaction takes. */
const BATCH = 500;

/** How long one call waits for events. */
const WAIT_MS = 5 * SECOND_MS;

/** Events that come one by one are gathered for so long: each transaction waits for the disk, and the process with it. */
const GATHER_MS = SECOND_MS;

/** Longer than any wait for the disk: while it goes on, other members need not do the same. */
const CLAIM_MS = 5 * MINUTE_MS;

/** A process that dies counts as a delivery, and no event of ours is the cause of it. */
const MAX_DELIVERIES = 1_000;

const HOUSEKEEPING_EVERY_MS = HOUR_MS;

/** Folds what comes from the bus; one run takes one batch. */
export class Reporter {
  readonly #ports: Omit<ReporterPorts, 'jobs'>;
  readonly #settings: ReporterSettings;
  readonly #onFolded: (outcome: string, count: number) => void;
  #subscription: Subscription | undefined;
  #inHand: readonly Delivery[] = [];

  /** @param onFolded told what became of the events of a batch: `added`, `repeated`, `refused` or `unreadable` */
  constructor(
    ports: Omit<ReporterPorts, 'jobs'>,
    settings: ReporterSettings,
    onFolded: (outcome: string, count: number) => void = () => undefined,
  ) {
    this.#ports = ports;
    this.#settings = settings;
    this.#onFolded = onFolded;
  }

  /**
   * Receives a batch unless one is in hand, folds and settles it.
   * @returns how many events it held
   * @throws when the bus or the report's file is away: what is in hand stays there for the next run
   */
  async runOnce(waitMs: number, signal?: AbortSignal): Promise<number> {
    this.#subscription ??= await this.#ports.bus.subscribe({
      ...{ group: REPORT_GROUP, claimMs: CLAIM_MS, maxDeliveries: MAX_DELIVERIES },
    });
    if (this.#inHand.length === 0)
      this.#inHand = await this.#subscription.receive(BATCH, waitMs, signal);
    const deliveries = this.#inHand;
    if (deliveries.length === 0) return 0;
    const faults = new Map<Delivery, string>();
    const facts: RescueFact[] = [];
    for (const delivery of deliveries) {
      try {
        const fact = factOf(delivery.event);
        if (fact) facts.push(fact);
      } catch (error) {
        faults.set(delivery, `no event of its type: ${errorMessage(error)}`);
      }
    }
    const folded = await this.#ports.log.fold(facts, this.#keptFrom());
    await Promise.all(
      deliveries.map(async (delivery) => {
        const fault = faults.get(delivery);
        await (fault === undefined ? delivery.done() : delivery.deadLetter(fault));
      }),
    );
    this.#inHand = [];
    const outcomes = Object.entries({ ...folded, unreadable: faults.size });
    for (const [outcome, count] of outcomes) if (count > 0) this.#onFolded(outcome, count);
    return deliveries.length;
  }

  /** Drops what is older than what is kept, until `signal` aborts. */
  async sweep(signal?: AbortSignal): Promise<void> {
    while (!signal?.aborted && (await this.#ports.log.sweep(this.#keptFrom())) > 0) {
      // Each step keeps the event loop: other work must have its turn.
      await yieldToOthers();
    }
  }

  /** Leaves what is in hand to others. */
  async close(): Promise<void> {
    await this.#subscription?.close();
  }

  #keptFrom(): number {
    return this.#ports.clock.now() - this.#settings.reportTtlMs;
  }
}

/** Builds the reporter, a member of the report's group while it runs. */
export function createReporter(
  ports: ReporterPorts,
  settings: ReporterSettings,
  { log, telemetry, health }: ReporterTools,
): Service {
  const events = telemetry.counter({
    name: 'rekindle_report_events_total',
    help: 'Events that the reporter took: added, repeated, refused (of before an erasure, or too old) or unreadable.',
    labels: ['outcome'],
  });
  telemetry.gauge(
    {
      name: 'rekindle_report_behind_events',
      help: 'Events that are not in the report yet.',
    },
    async (gauge) => gauge.set((await reportState(ports.bus)).behind),
  );
  const reporter = new Reporter(ports, settings, (outcome, count) =>
    events.inc({ outcome }, count),
  );
  const quieting = new AbortController();
  const loop = new Loop({
    name: 'reporter',
    time: ports.clock,
    log,
    runOnce: async (): Promise<RunResult> => {
      const taken = await reporter.runOnce(WAIT_MS, quieting.signal);
      return { sleepMs: taken < BATCH ? GATHER_MS : 0 };
    },
  });
  ports.jobs.register(
    { name: 'report-housekeeping', everyMs: HOUSEKEEPING_EVERY_MS },
    async (signal) => reporter.sweep(signal),
  );
  health.register('report', () =>
    loop.trouble === undefined
      ? { status: 'ok', detail: 'events are folded' }
      : { status: 'degraded', detail: `the report is not kept: ${loop.trouble}` },
  );
  return serviceOf('reporter', {
    start: () => loop.start(),
    quiet: () => {
      quieting.abort();
      return loop.quiet();
    },
    stop: async (signal) => {
      quieting.abort();
      try {
        await loop.stop(signal);
      } finally {
        await reporter.close();
      }
    },
  });
}

/** How far the report is behind the bus, and what of it was put aside. */
export async function reportState(
  bus: Pick<Bus, 'groups'>,
): Promise<{ readonly behind: number; readonly deadLetters: number }> {
  const state = (await bus.groups()).find(({ group }) => group === REPORT_GROUP);
  return { behind: state?.behind ?? 0, deadLetters: state?.deadLetters ?? 0 };
}
