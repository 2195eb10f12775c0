/** The thread of one SQLite file's checkpoints: see `Checkpoints`. */
import { parentPort, workerData } from 'node:worker_threads';
import { Database } from './database.ts';
import type { CheckpointOrder } from './checkpoints.ts';

const database = new Database((workerData as { readonly file: string }).file);

parentPort?.on('message', (order: CheckpointOrder) => {
  if (order === 'checkpoint') database.checkpoint();
  else database.close();
  parentPort?.postMessage(order);
  if (order === 'close') parentPort?.close();
});
