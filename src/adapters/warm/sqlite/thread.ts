/** The thread of one SQLite file: see `ThreadedWarm`. */
import { parentPort, workerData } from 'node:worker_threads';
import { SqliteWarm } from './sqlite-warm.ts';
import {
  type Answer,
  type Question,
  gathered,
  packError,
  unpackWrites,
} from './thread-messages.ts';

let now = 0;

const answer = gathered((answers: readonly Answer[]) => parentPort?.postMessage(answers));

async function ask(warm: SqliteWarm, { id, method, args, now: at }: Question): Promise<void> {
  now = at;
  try {
    const call = warm[method].bind(warm) as (...given: unknown[]) => Promise<unknown>;
    const [owner, writes, how] = args;
    const given =
      method === 'put'
        ? [owner, unpackWrites(writes as Parameters<typeof unpackWrites>[0]), how]
        : args;
    answer({ id, result: await call(...given) });
  } catch (error) {
    answer({ id, error: packError(error) });
  }
  // Nothing holds the thread any more.
  if (method === 'close') process.nextTick(() => parentPort?.close());
}

try {
  const { file, now: openedAt } = workerData as { readonly file: string; readonly now: number };
  now = openedAt;
  const warm = new SqliteWarm(file, { now: () => now, sleep: () => Promise.resolve() });
  parentPort?.on('message', (questions: readonly Question[]) => {
    for (const question of questions) void ask(warm, question);
  });
  answer({ id: 0 });
} catch (error) {
  answer({ id: 0, error: packError(error) });
}
