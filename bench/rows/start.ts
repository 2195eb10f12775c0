import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bench, Head, Sample, Series } from '../harness.ts';
import { memoryOf } from '../proc.ts';
import { WatcherProcess } from '../watcher-process.ts';

const time: Head = { name: 'start of the embedded daemon', unit: 'ms' };
const memory: Head = { name: 'memory of the embedded daemon once it runs', unit: 'MB' };

/** What a deployment on Azure loads beside. */
const AZURE = [
  '@azure/service-bus',
  '@azure/cosmos',
  '@azure/storage-blob',
  '@azure/identity',
  '@azure/keyvault-secrets',
];

/** The daemon with its default adapters, beside the same one that loads the SDKs of Azure as well. */
export const start: Series = {
  name: 'start of the daemon',
  sessions: 1,
  of: 'daemons',
  apart: false,
  figures: [time, memory],
  measure: async (bench) => {
    const ours = await startDaemon(bench, []);
    const peer = await startDaemon(
      bench,
      AZURE.flatMap((name) => ['--import', name]),
    );
    return new Map<string, Sample>([
      [time.name, { value: ours.tookMs, peer: peer.tookMs }],
      [memory.name, { value: ours.residentMb, peer: peer.residentMb }],
    ]);
  },
};

async function startDaemon(
  { server }: Bench,
  flags: readonly string[],
): Promise<{ tookMs: number; residentMb: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'rekindle-start-'));
  const startedAt = performance.now();
  try {
    const settings = { REDIS_URL: server.url, REKINDLE_DATA_DIR: folder };
    await using daemon = await WatcherProcess.start({ worker: 'daemon', flags, settings });
    const tookMs = performance.now() - startedAt;
    const { residentMb } = memoryOf(daemon.pid);
    await daemon.end();
    return { tookMs, residentMb };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
