import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { WarmUnavailableError, errorMessage } from '../../../model/errors.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Page, WarmStore } from '../../../ports/warm.ts';
import { gathered } from '../../../runtime/gathered.ts';
import {
  type Answer,
  type Question,
  packError,
  type PackedOutcome,
  type PackedStored,
  packWrites,
  unpackError,
  unpackOutcomes,
  unpackStored,
} from './thread-messages.ts';

/** As this file itself: TypeScript as it is, or compiled. */
const THREAD = new URL(`./thread${extname(import.meta.url)}`, import.meta.url);

type Returned<M extends keyof WarmStore> = Awaited<ReturnType<WarmStore[M]>>;

interface Asked {
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A SQLite file on a thread of its own. SQLite's calls are synchronous: a commit waits for the disk, a search for words
 * that are everywhere takes longer still, and a look that is due must not wait with them.
 */
export class ThreadedWarm implements WarmStore {
  readonly #thread: Worker;
  readonly #file: string;
  readonly #clock: Clock;
  readonly #asked = new Map<number, Asked>();
  readonly #send: (question: Question) => void;
  #questions = 0;
  #ended: string | undefined;

  private constructor(thread: Worker, file: string, clock: Clock) {
    this.#thread = thread;
    this.#file = file;
    this.#clock = clock;
    this.#send = gathered((questions) => this.#post(questions));
  }

  /** @throws as SqliteWarm does */
  static async open(file: string, clock: Clock): Promise<ThreadedWarm> {
    const thread = new Worker(THREAD, { workerData: { file, now: clock.now() } });
    const warm = new ThreadedWarm(thread, file, clock);
    const opened = warm.#answerTo(0);
    thread.on('message', (answers: Answer[]) => {
      for (const answer of answers) warm.#take(answer);
    });
    thread.on('error', (error: unknown) => warm.#end(errorMessage(error)));
    thread.on('exit', () => warm.#end('it was closed'));
    try {
      await opened;
      return warm;
    } catch (error) {
      await thread.terminate();
      throw error;
    }
  }

  async put(...[agentId, writes, how]: Parameters<WarmStore['put']>): Promise<Returned<'put'>> {
    const asked = this.#ask<PackedOutcome[]>('put', agentId, packWrites(writes), how);
    return unpackOutcomes(await asked, writes);
  }

  async get(...args: Parameters<WarmStore['get']>): Promise<Returned<'get'>> {
    return unpackStored(await this.#ask<PackedStored[]>('get', ...args));
  }

  remove(...args: Parameters<WarmStore['remove']>): Promise<Returned<'remove'>> {
    return this.#ask('remove', ...args);
  }

  async find(...args: Parameters<WarmStore['find']>): Promise<Returned<'find'>> {
    const { items, cursor } = await this.#ask<Page<PackedStored>>('find', ...args);
    return { items: unpackStored(items), cursor };
  }

  search(...args: Parameters<WarmStore['search']>): Promise<Returned<'search'>> {
    return this.#ask('search', ...args);
  }

  similar(...args: Parameters<WarmStore['similar']>): Promise<Returned<'similar'>> {
    return this.#ask('similar', ...args);
  }

  recalled(...args: Parameters<WarmStore['recalled']>): Promise<void> {
    return this.#ask('recalled', ...args);
  }

  aged(...args: Parameters<WarmStore['aged']>): Promise<Returned<'aged'>> {
    return this.#ask('aged', ...args);
  }

  erase(...args: Parameters<WarmStore['erase']>): Promise<number> {
    return this.#ask('erase', ...args);
  }

  count(agentId: string): Promise<number> {
    return this.#ask('count', agentId);
  }

  sweep(): Promise<number> {
    return this.#ask('sweep');
  }

  async close(): Promise<void> {
    if (this.#ended !== undefined) return;
    await this.#ask('close').catch(() => undefined);
    await this.#thread.terminate();
  }

  #ask<T>(method: keyof WarmStore, ...args: readonly unknown[]): Promise<T> {
    if (this.#ended !== undefined) return Promise.reject(this.#gone());
    this.#questions += 1;
    const id = this.#questions;
    const answer = this.#answerTo(id);
    this.#send({ id, method, args, now: this.#clock.now() });
    return answer as Promise<T>;
  }

  #post(questions: readonly Question[]): void {
    try {
      this.#thread.postMessage(questions);
    } catch (error) {
      // One that cannot be told to a thread fails alone.
      const [only, ...others] = questions;
      if (only && others.length === 0) this.#take({ id: only.id, error: packError(error) });
      else for (const question of questions) this.#post([question]);
    }
  }

  #answerTo(id: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
    });
  }

  #take({ id, result, error }: Answer): void {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    if (error) asked?.reject(unpackError(error));
    else asked?.resolve(result as never);
  }

  #end(why: string): void {
    this.#ended ??= why;
    for (const { reject } of this.#asked.values()) reject(this.#gone());
    this.#asked.clear();
  }

  #gone(): WarmUnavailableError {
    return new WarmUnavailableError(`the warm tier's file ${this.#file}: ${this.#ended ?? ''}`);
  }
}
