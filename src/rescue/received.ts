import type { Wanted } from '../abandonment/wanted.ts';
import { UsageError } from '../model/errors.ts';
import type { AnyEvent } from '../model/event.ts';
import type { InHand, StillWanted } from './received-event.ts';
import type { Task } from './task.ts';

/** What an event asks of the subscriber in whose hands it is. */
export interface Asking {
  readonly isStillWanted: (task: Task) => Promise<Wanted>;
}

/** What a received event has beside its own properties. */
const OWN_NAMES = [
  '__proto__',
  'attempt',
  'mayBeRepeat',
  'signal',
  'deferUntil',
  'isStillWanted',
] as const;

/** An event as its handler receives it: the event's properties are its own, all else it has from here. */
class Received implements InHand {
  readonly #task: Task;

  constructor(task: Task) {
    this.#task = task;
    const { event } = task;
    // What has no name of ours is assigned at once, which is quicker.
    if (!OWN_NAMES.some((name) => Object.hasOwn(event, name))) Object.assign(this, event);
    else this.#define(event);
  }

  /** An attribute that somebody added and that is called as one of these stands before it. */
  #define(event: AnyEvent): void {
    for (const [name, value] of Object.entries(event)) {
      const own = {
        value: value as unknown,
        enumerable: true,
        writable: true,
        configurable: true,
      };
      Object.defineProperty(this, name, own);
    }
  }

  get attempt(): number {
    return this.#task.delivery.attempt;
  }

  get mayBeRepeat(): boolean {
    return this.#task.mayBeRepeat;
  }

  get signal(): AbortSignal {
    return this.#task.signal;
  }

  deferUntil(at: number | string): void {
    const instant = typeof at === 'string' ? Date.parse(at) : at;
    if (typeof instant !== 'number' || !Number.isFinite(instant)) {
      throw new UsageError(
        `deferUntil takes Unix milliseconds or an ISO 8601 text; got ${JSON.stringify(at)}`,
      );
    }
    this.#task.deferredTo = instant;
  }
}

class ReceivedAnnouncement extends Received implements StillWanted {
  readonly #task: Task;
  readonly #asking: Asking;

  constructor(task: Task, asking: Asking) {
    super(task);
    this.#task = task;
    this.#asking = asking;
  }

  isStillWanted(): Promise<Wanted> {
    return this.#asking.isStillWanted(this.#task);
  }
}

/** Gives a task's event the form in which a handler receives it. */
export function received(task: Task, asking: Asking): AnyEvent & InHand {
  const event = task.announcement ? new ReceivedAnnouncement(task, asking) : new Received(task);
  return event as unknown as AnyEvent & InHand;
}
