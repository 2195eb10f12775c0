/** The thread of one SQLite file: see `ThreadedWarm`. */
import { parentPort, workerData } from 'node:worker_threads';
import { Checkpoints } from './checkpoints.ts';
import { SqliteWarm } from './sqlite-warm.ts';
import type { Page, StoredEntry, WarmStore } from '../../../ports/warm.ts';
import { gathered } from '../../../runtime/gathered.ts';
import {
  type Answer,
  type PackedWrite,
  type Question,
  packError,
  packOutcomes,
  packStored,
  unpackWrites,
} from './thread-messages.ts';

const READS: ReadonlySet<keyof WarmStore> = new Set(['get', 'find', 'count']);

let now = 0;

const answer = gathered((answers: readonly Answer[]) => parentPort?.postMessage(answers));

async function resultOf(
  warm: SqliteWarm,
  method: keyof WarmStore,
  args: readonly unknown[],
): Promise<unknown> {
  if (method === 'put') {
    const [owner, writes, how] = args as Parameters<WarmStore['put']>;
    const given = unpackWrites(writes as unknown as readonly PackedWrite[]);
    return packOutcomes(await warm.put(owner, given, how), given);
  }
  const call = warm[method].bind(warm) as (...given: readonly unknown[]) => Promise<unknown>;
  const result = await call(...args);
  if (method === 'get') return packStored(result as readonly StoredEntry[]);
  if (method !== 'find') return result;
  const { items, cursor } = result as Page<StoredEntry>;
  return { items: packStored(items), cursor };
}

async function ask(warm: SqliteWarm, { id, method, args, now: at }: Question): Promise<void> {
  now = at;
  try {
    answer({ id, result: await resultOf(warm, method, args) });
  } catch (error) {
    answer({ id, error: packError(error) });
  }
  // Nothing holds the thread any more.
  if (method === 'close') process.nextTick(() => parentPort?.close());
}

try {
  const { file, now: openedAt } = workerData as { readonly file: string; readonly now: number };
  now = openedAt;
  const checkpoints = new Checkpoints(file);
  const clock = { now: () => now, sleep: () => Promise.resolve() };
  const warm = new SqliteWarm(file, clock, (puts) => {
    checkpoints.written(puts);
  });
  parentPort?.on('message', (questions: readonly Question[]) => {
    const [reads = [], others = []] = [true, false].map((read) =>
      questions.filter(({ method }) => READS.has(method) === read),
    );
    if (reads.length > 0)
      warm.readTogether(() => {
        for (const question of reads) void ask(warm, question);
      });
    for (const question of others)
      if (question.method === 'close') void checkpoints.close().then(() => ask(warm, question));
      else void ask(warm, question);
  });
  answer({ id: 0 });
} catch (error) {
  answer({ id: 0, error: packError(error) });
}
