/**
 * The example agent in virtual time: the subscriber kit and the agent's handler, over the bus that holds by the virtual
 * clock. Time stands while it works. One event is handled at a time, and what fails ends the replay instead of being tried
 * again: so nothing depends on chance or on the machine.
 */
import type { AnyEvent } from '../model/event.ts';
import type { Clock } from '../ports/clock.ts';
import type { Inbox } from '../ports/inbox.ts';
import { type RescueAgentPorts, createRescueHandler } from '../rescue/agent/agent.ts';
import type { RescueOutcome } from '../rescue/agent/outcome.ts';
import type { Handler } from '../rescue/received-event.ts';
import { Subscriber, type SubscriberPorts } from '../rescue/subscriber.ts';
import { silentLogger } from '../runtime/logger.ts';
import { AgentBus } from './agent-bus.ts';

export type ReplayAgentPorts = Omit<RescueAgentPorts, 'clock' | 'log'> &
  Omit<SubscriberPorts, 'bus'> & { readonly clock: Clock };

/** What became of the announcements; each is counted once, but for those that were deferred on the way. */
export interface AgentAccount {
  readonly sent: number;
  /** Nobody may be contacted, by what that rests on. */
  readonly skipped: Readonly<Record<string, number>>;
  /** It did not hold any more, by reason. */
  readonly unwanted: Readonly<Record<string, number>>;
  /** Something later of the same user was known before it could be handled. */
  readonly overtaken: number;
  /** How often one was held until quiet hours were over. */
  readonly deferred: number;
  /** Held still when the file ended. */
  readonly held: number;
}

const GROUP = 'replay-agent';

export class ReplayAgent {
  readonly #bus: AgentBus;
  readonly #subscriber: Subscriber;
  readonly #failed = Promise.withResolvers<never>();
  readonly #outcomes: RescueOutcome[] = [];

  constructor(ports: ReplayAgentPorts) {
    const { clock, inbox, wanted } = ports;
    this.#failed.promise.catch(() => undefined);
    this.#bus = new AgentBus(clock);
    const rescue = createRescueHandler(
      { ...ports, log: silentLogger },
      { onOutcome: (outcome) => this.#outcomes.push(outcome) },
    );
    const handler: Handler<'cart.abandoned'> = (event) => this.#strict(async () => rescue(event));
    const strictInbox: Inbox = {
      begin: (...asked) => this.#strict(() => inbox.begin(...asked)),
      end: (...asked) => this.#strict(() => inbox.end(...asked)),
      renew: (...asked) => this.#strict(() => inbox.renew(...asked)),
    };
    this.#subscriber = new Subscriber(
      {
        bus: this.#bus,
        clock,
        inbox: strictInbox,
        wanted: (events) => this.#strict(() => wanted(events)),
      },
      { group: GROUP, types: ['cart.abandoned'], handler, concurrency: 1, readAhead: 0 },
    );
  }

  start(): Promise<void> {
    return this.#subscriber.start();
  }

  /** Gives it an event that came over the stream. */
  hear(event: AnyEvent): void {
    this.#bus.put(event);
  }

  /** Lets it do all that is to be done now. @returns how many events it was given */
  rest(): Promise<number> {
    return Promise.race([this.#bus.rest(), this.#failed.promise]);
  }

  /** When something that it holds is due; undefined: it holds nothing. */
  nextAt(): number | undefined {
    return this.#bus.nextAt();
  }

  account(): AgentAccount {
    const { unwanted, overtaken } = this.#subscriber.counts;
    const dropped = reasonsOf(this.#outcomes, 'dropped');
    for (const [reason, count] of Object.entries(unwanted))
      dropped[reason] = (dropped[reason] ?? 0) + count;
    return {
      sent: this.#outcomes.filter(({ did }) => did === 'sent').length,
      skipped: sorted(reasonsOf(this.#outcomes, 'skipped')),
      unwanted: sorted(dropped),
      overtaken,
      deferred: this.#outcomes.filter(({ did }) => did === 'deferred').length,
      held: this.#bus.held,
    };
  }

  close(): Promise<void> {
    return this.#subscriber.stop();
  }

  async #strict<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.#failed.reject(error);
      throw error;
    }
  }
}

function reasonsOf(
  outcomes: readonly RescueOutcome[],
  wanted: 'skipped' | 'dropped',
): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const outcome of outcomes)
    if (outcome.did === wanted) counts[outcome.why] = (counts[outcome.why] ?? 0) + 1;
  return counts;
}

/** By name: which comes first in a replay tells nothing. */
function sorted(counts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(counts).sort(([one], [other]) => (one < other ? -1 : 1)),
  );
}
