/**
 * Everything that runs keeps this one contract:
 *
 *   new ──start──▶ starting ──▶ running ──quiet──▶ quiet ──stop──▶ stopping ──▶ stopped
 *    │                │                                  ▲
 *    └──── stop ──────┴───────────── stop ───────────────┘
 *
 * Calls may come in any order, twice, and while another is under way. What was stopped before it started never starts;
 * a stop during the start waits for it; a start that fails has released what it took. Nothing starts a second time.
 */
export interface Service {
  readonly name: string;
  /** Settles when it runs; rejects when it cannot. */
  start(): Promise<void>;
  /** Takes no new work. What is in hand goes on. */
  quiet(): Promise<void>;
  /** Finishes what is in hand until `signal` aborts, then gives it up; releases everything. */
  stop(signal: AbortSignal): Promise<void>;
  /** Aborts, with the reason, when it no longer runs although nobody stopped it. */
  readonly died: AbortSignal;
}

/** How long a service may take to give up once the signal of its stop has aborted. */
const GIVE_UP_MS = 1_000;

/** Keeps the contract for what a subclass does at each step; every hook is called once at most. */
export abstract class BaseService implements Service {
  readonly name: string;
  readonly #death = new AbortController();
  readonly #stopping = new AbortController();
  readonly #givingUp = new AbortController();
  #started: Promise<void> | undefined;
  #quiet: Promise<void> | undefined;
  #released: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;

  constructor(name: string) {
    this.name = name;
  }

  get died(): AbortSignal {
    return this.#death.signal;
  }

  start(): Promise<void> {
    if (this.#quiet || this.#stopped) return this.#started ?? Promise.resolve();
    this.#started ??= this.#begin();
    return this.#started;
  }

  quiet(): Promise<void> {
    this.#stopping.abort();
    this.#quiet ??= this.#afterStart(() => this.onQuiet());
    return this.#quiet;
  }

  stop(signal: AbortSignal): Promise<void> {
    // Of several who stop it, the least patient counts.
    if (signal.aborted) this.#givingUp.abort(signal.reason);
    else
      signal.addEventListener('abort', () => this.#givingUp.abort(signal.reason), { once: true });
    this.#stopping.abort();
    this.#stopped ??= this.#end();
    return this.#stopped;
  }

  /** Takes what it needs and begins; `stopping` aborts when it is quieted or stopped meanwhile. */
  protected abstract onStart(stopping: AbortSignal): Promise<void>;

  /** Takes no new work from now on. */
  protected async onQuiet(): Promise<void> {
    // Most services have no work of their own to refuse.
  }

  /**
   * Finishes or, once `signal` has aborted, gives up what is in hand, and releases what `onStart` took: all of it, or
   * the part that it came to take before it failed.
   */
  protected abstract onStop(signal: AbortSignal): Promise<void>;

  /** To be called when it cannot go on. */
  protected die(reason: unknown): void {
    this.#death.abort(reason);
  }

  async #begin(): Promise<void> {
    try {
      await this.onStart(this.#stopping.signal);
    } catch (error) {
      // There is nothing in hand yet; and the reason of the failure is worth more than one of the release.
      await this.#release(AbortSignal.abort()).catch(() => undefined);
      throw error;
    }
  }

  async #afterStart(step: () => Promise<void>): Promise<void> {
    if (!this.#started) return;
    const running = await this.#started.then(
      () => true,
      () => false,
    );
    if (running && !this.#released) await step();
  }

  async #end(): Promise<void> {
    if (!this.#started) return;
    const begun = Promise.allSettled([this.#started, this.#quiet]).then(() => undefined);
    const giveUp = this.#givingUp.signal;
    await inTime(begun, giveUp, `${this.name} did not finish its start in time`);
    await inTime(this.#release(giveUp), giveUp, `${this.name} did not stop in time`);
  }

  #release(signal: AbortSignal): Promise<void> {
    this.#released ??= this.onStop(signal);
    return this.#released;
  }
}

/** Rejects when `work` goes on for more than a moment after `signal` aborted: one service must not hold up the rest. */
async function inTime(work: Promise<void>, signal: AbortSignal, complaint: string): Promise<void> {
  const tooLate = Promise.withResolvers<never>();
  let timer: NodeJS.Timeout | undefined;
  const countDown = (): void => {
    timer = setTimeout(() => tooLate.reject(new Error(complaint)), GIVE_UP_MS);
  };
  if (signal.aborted) countDown();
  else signal.addEventListener('abort', countDown, { once: true });
  try {
    await Promise.race([work, tooLate.promise]);
  } finally {
    signal.removeEventListener('abort', countDown);
    clearTimeout(timer);
  }
}

export interface ServiceHooks {
  readonly start?: (stopping: AbortSignal) => Promise<void>;
  readonly quiet?: () => Promise<void>;
  readonly stop?: (signal: AbortSignal) => Promise<void>;
}

/** Makes a service of functions: for a connection to close, or a port that runs something of its own. */
export function serviceOf(name: string, hooks: ServiceHooks): Service {
  return new HookedService(name, hooks);
}

class HookedService extends BaseService {
  readonly #hooks: ServiceHooks;

  constructor(name: string, hooks: ServiceHooks) {
    super(name);
    this.#hooks = hooks;
  }

  protected override async onStart(stopping: AbortSignal): Promise<void> {
    await this.#hooks.start?.(stopping);
  }

  protected override async onQuiet(): Promise<void> {
    await this.#hooks.quiet?.();
  }

  protected override async onStop(signal: AbortSignal): Promise<void> {
    await this.#hooks.stop?.(signal);
  }
}
