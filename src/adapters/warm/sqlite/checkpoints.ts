import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';

/** What the thread is told, and says when it is done. */
export type CheckpointOrder = 'checkpoint' | 'close';

/** As this file itself: TypeScript as it is, or compiled. */
const THREAD = new URL(`./checkpoint-thread${extname(import.meta.url)}`, import.meta.url);

/** Writes between two checkpoints: some 1,300 pages of the log where each is a session of ten messages. */
const WRITES_BETWEEN = 512;

/**
 * Brings the log of a file that is written to a lot into the file, on a thread and a connection of its own: a checkpoint
 * copies megabytes and waits for the disk, and so did every commit behind it. Only help: it stands in nobody's way, and
 * what it leaves, or all where it fails, is brought in by who writes once the log has the pages of `sqlite-file.ts`.
 *
 * The thread starts with the first checkpoint, so a file that is only read has none.
 */
export class Checkpoints {
  readonly #file: string;
  #thread: Worker | undefined;
  #written = 0;
  #state: 'idle' | 'busy' | 'ended' = 'idle';

  constructor(file: string) {
    this.#file = file;
  }

  /** So many more writes are in the log. */
  written(writes: number): void {
    this.#written += writes;
    if (this.#written < WRITES_BETWEEN || this.#state !== 'idle') return;
    this.#written = 0;
    this.#state = 'busy';
    try {
      this.#thread ??= this.#start();
      this.#thread.postMessage('checkpoint' satisfies CheckpointOrder);
    } catch {
      // There can be no further thread: what was written stands all the same.
      this.#state = 'ended';
    }
  }

  /** Lets go of the file, so that who closes it last removes the log. */
  async close(): Promise<void> {
    const thread = this.#state === 'ended' ? undefined : this.#thread;
    this.#state = 'ended';
    if (!thread) return;
    await new Promise((resolve) => {
      thread.once('exit', resolve);
      thread.postMessage('close' satisfies CheckpointOrder);
    });
  }

  #start(): Worker {
    const thread = new Worker(THREAD, { workerData: { file: this.#file } });
    thread.on('message', () => {
      if (this.#state === 'busy') this.#state = 'idle';
    });
    // Why it cannot be done, who writes finds out, and says so.
    thread.on('error', () => {
      this.#state = 'ended';
    });
    thread.unref();
    return thread;
  }
}
