import type { Looker } from '../../src/abandonment/look.ts';
import type { WorldPorts } from './look-world.ts';
import { replacing } from './replacing.ts';

/** The calls of a look that others can see. Between two of them a worker is alone with what it knows. */
export type LookStep = 'claim' | 'read' | 'commit' | 'publish' | 'settle';

/** What a call came back with. */
export type Reply = { readonly value: unknown } | { readonly error: unknown };

/** What a worker was told in its look, and when. What it will do follows from that. */
export interface Past {
  readonly beganAt: number;
  readonly heard: readonly {
    readonly step: LookStep;
    readonly reply: Reply;
    readonly at: number;
  }[];
}

interface Call {
  readonly step: LookStep;
  readonly make: () => Promise<unknown>;
  readonly answer: (reply: Reply) => void;
}

/**
 * A worker that moves when it is told to.
 *
 *   idle ──begin──▶ about to claim ──make, hear──▶ about to read ──make, hear──▶ … about to settle ──make, hear──▶ idle
 *
 * In `begin` and `hear` it reads the clock and makes up its next call, in `make` that call takes effect. So time that
 * passes between `hear` and `make` finds it with an old instant in hand, and time between `make` and `hear` finds it
 * asleep. One that is never moved again has died. Retold its past, another one stands where it stood.
 */
export class SteppedWorker {
  readonly #looker: Looker;
  readonly #now: () => number;
  #call: Call | undefined;
  #past: Past | undefined;
  #arrived = Promise.withResolvers<undefined>();

  /** @param newLooker builds a looker whose calls go through what it is given */
  constructor(newLooker: (gate: (ports: WorldPorts) => WorldPorts) => Looker, now: () => number) {
    this.#looker = newLooker((ports) => this.#gated(ports));
    this.#now = now;
  }

  /** The call that it is about to make; undefined: it is idle. */
  get next(): LookStep | undefined {
    return this.#call?.step;
  }

  /** Undefined: it is idle. */
  get past(): Past | undefined {
    return this.#past;
  }

  async begin(): Promise<void> {
    this.#past = { beganAt: this.#now(), heard: [] };
    this.#arrived = Promise.withResolvers();
    this.#looker.lookOnce().then(() => {
      this.#call = undefined;
      this.#past = undefined;
      this.#arrived.resolve(undefined);
    }, this.#arrived.reject);
    await this.#arrived.promise;
  }

  async make(): Promise<Reply> {
    try {
      return { value: await this.#call?.make() };
    } catch (error) {
      return { error };
    }
  }

  async hear(reply: Reply): Promise<void> {
    const [call, past] = [this.#call, this.#past];
    if (!call || !past) throw new Error('nothing was asked');
    this.#past = { ...past, heard: [...past.heard, { step: call.step, reply, at: this.#now() }] };
    this.#arrived = Promise.withResolvers();
    call.answer(reply);
    await this.#arrived.promise;
  }

  #gated({ agenda, ledgers, bus, ...others }: WorldPorts): WorldPorts {
    return {
      ...others,
      agenda: replacing(agenda, {
        claim: (...args) => this.#wait('claim', () => agenda.claim(...args)),
        settle: (...args) => this.#wait('settle', () => agenda.settle(...args)),
      }),
      ledgers: replacing(ledgers, {
        read: (...args) => this.#wait('read', () => ledgers.read(...args)),
        commit: (...args) => this.#wait('commit', () => ledgers.commit(...args)),
      }),
      bus: replacing(bus, {
        publish: (...args) => this.#wait('publish', () => bus.publish(...args)),
      }),
    };
  }

  #wait<T>(step: LookStep, make: () => Promise<T>): Promise<T> {
    const answered = Promise.withResolvers<T>();
    this.#call = {
      step,
      make,
      answer: (reply) => {
        if ('error' in reply) answered.reject(reply.error);
        else answered.resolve(reply.value as T);
      },
    };
    this.#arrived.resolve(undefined);
    return answered.promise;
  }
}
