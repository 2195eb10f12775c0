import { readFile } from 'node:fs/promises';
import type { RekindleEvent } from '../model/event.ts';
import type { Clock } from '../ports/clock.ts';
import type { Drafter } from '../ports/drafter.ts';
import type { Outbox, OutgoingMessage } from '../ports/outbox.ts';
import { type RescueAgentPorts, createRescueHandler } from '../rescue/agent/agent.ts';
import type { RescueOutcome } from '../rescue/agent/outcome.ts';
import type { Handler } from '../rescue/received-event.ts';
import { silentLogger } from '../runtime/logger.ts';

type Announcement = RekindleEvent<'cart.abandoned'>;

/** A message of the agent, as the demo saw it leave. */
export interface Written {
  readonly announcement: Announcement;
  /** When its draft was there: what the shop knew by then the agent had to ask about before it sent. */
  readonly draftedAt: number;
  readonly sentAt: number;
  /** When the touch was noted for sure. */
  readonly notedAt: number;
}

export interface RescueDeskPorts extends Pick<RescueAgentPorts, 'recall' | 'recordTouch'> {
  readonly drafter: Drafter;
  readonly outbox: Outbox;
  readonly clock: Clock;
}

/** One announcement in so many waits for somebody to look it over. */
const REVIEWED_EVERY = 3;

/**
 * The example agent at work in the demo, and what it did, announcement by announcement. Some announcements are held for a
 * moment, as where a person looks them over: whoever is back by then is not written to.
 */
export class RescueDesk {
  readonly written: Written[] = [];
  /** What became of each announcement in the agent's hands; none where it was called back before. */
  readonly outcomes = new Map<string, RescueOutcome>();
  readonly handler: Handler<'cart.abandoned'>;
  readonly #drafted = new Map<string, number>();

  /** @param heldUntil until when an announcement that is looked over is held, Unix milliseconds */
  constructor(ports: RescueDeskPorts, heldUntil: (event: Announcement) => number) {
    const { clock, drafter, recordTouch } = ports;
    // One for each event: its outcome does not say whose it is.
    const rescue = (event: Parameters<Handler<'cart.abandoned'>>[0]): unknown =>
      createRescueHandler(
        {
          ...ports,
          log: silentLogger,
          drafter: {
            draft: async (request, signal) => {
              const draft = await drafter.draft(request, signal);
              this.#drafted.set(event.id, clock.now());
              return draft;
            },
          },
          recordTouch: async (about, touch) => {
            await recordTouch(about, touch);
            const draftedAt = this.#drafted.get(about.id) ?? 0;
            const [sentAt, notedAt] = [touch.at, clock.now()];
            this.written.push({ announcement: about, draftedAt, sentAt, notedAt });
          },
        },
        { onOutcome: (outcome) => this.outcomes.set(event.id, outcome) },
      )(event);
    this.handler = async (event) => {
      if (isReviewed(event) && clock.now() < heldUntil(event)) {
        event.deferUntil(heldUntil(event));
        return;
      }
      await rescue(event);
    };
  }

  /** The announcement of the latest message to a user; undefined: none was sent. */
  latestTo(user: string): Announcement | undefined {
    return this.written.findLast(({ announcement }) => announcement.data.user === user)
      ?.announcement;
  }
}

/** The messages that stand in the file of an outbox, in its order. */
export async function messagesIn(file: string): Promise<OutgoingMessage[]> {
  const text = await readFile(file, 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as OutgoingMessage);
}

/** The same ones every time, for ids are made of what happened. */
function isReviewed({ id }: Announcement): boolean {
  return Number.parseInt(id.slice(0, 6), 16) % REVIEWED_EVERY === 0;
}
