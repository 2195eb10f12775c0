import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { coldFolder, openCold, openSummarizer } from '../../src/compose-cold.ts';
import { openWarm } from '../../src/compose-warm.ts';
import { openHot } from '../../src/compose.ts';
import type { Config } from '../../src/config.ts';
import type { ColdKind } from '../../src/ports/cold.ts';
import { type CompactPorts, type Compaction, Compactor } from '../../src/tiers/compact.ts';
import { queueAged } from '../../src/tiers/compactor.ts';
import { writeBare } from '../cold/bare.ts';
import { EACH, conversationsOf, loadConversations } from '../cold/conversations.ts';
import {
  type Bench,
  type Head,
  type Sample,
  type Series,
  assertDone,
  inFlight,
} from '../harness.ts';

const speed: Head = { name: 'compaction, JSON of messages', unit: 'MB/s' };
const conversations: Head = { name: 'compaction, conversations', unit: '1/s' };
const ratio: Head = { name: 'compaction, compression ratio', unit: 'x' };

/**
 * The way from a file of warm to files of cold: transcripts, records and `current`. Beside it the same JSON of messages in
 * files, a file for each conversation, compressed and made durable the same way, and nothing else. A ratio is the bytes of
 * the JSON over those of the files.
 * @param file of dialogues, in the form of DialogSum
 */
export function compactionOf(file: string): Series {
  return {
    name: 'compaction',
    of: 'conversations',
    sessions: 500,
    growth: [50, 500, 5_000],
    many: 5_000,
    apart: false,
    figures: [speed, conversations, ratio],
    lacks: () =>
      existsSync(file) ? undefined : `${file} is not there: name a file with --dialogsum`,
    measure: (bench) => measure(bench, file),
  };
}

async function measure(bench: Bench, file: string): Promise<ReadonlyMap<string, Sample>> {
  const { sessions: count } = bench;
  const folder = mkdtempSync(join(tmpdir(), 'rekindle-bench-'));
  const config = { ...bench.config, dataDir: folder };
  await using opened = new AsyncDisposableStack();
  opened.defer(() => rmSync(folder, { recursive: true }));
  const hot = await openHot(config);
  opened.defer(() => hot.close());
  const warm = await openWarm(config, hot.clock);
  opened.defer(() => warm.close());
  const cold = await openCold(config, hot.clock);
  opened.defer(() => cold.close());
  const ports = { ...hot, warm, cold, summarizer: await openSummarizer(config) };

  const said = conversationsOf(file, count, hot.clock.now());
  await loadConversations(warm, said, hot.clock.now());
  const all = [...said.values()].flat();
  const messages = all.flat();
  const seconds = await secondsOf(async () => {
    const done = await compactAll(ports, config);
    assertDone(done.conversations, count, 'conversations were compacted');
    assertDone(done.messages, messages.length, 'messages are in cold');
  });
  let bare = 0;
  const bareSeconds = await secondsOf(async () => {
    bare = await writeBare(join(folder, 'bare'), all, config.compactConcurrency);
  });

  const bytes = messages.reduce((sum, message) => sum + Buffer.byteLength(message), 0);
  const transcripts = bytesIn(coldFolder(config), 'transcripts');
  const kept = transcripts + bytesIn(coldFolder(config), 'insights');
  const note = `dialogues of ${Math.round(bytes / count)} B in ${(messages.length / count).toFixed(1)} messages, at most ${EACH} a user`;
  return new Map([
    [speed.name, { value: bytes / 1e6 / seconds, peer: bytes / 1e6 / bareSeconds, note }],
    [conversations.name, { value: count / seconds, peer: count / bareSeconds, note }],
    [
      ratio.name,
      {
        value: bytes / kept,
        peer: bytes / bare,
        note: `transcripts alone ${(bytes / transcripts).toFixed(2)}; ${note}`,
      },
    ],
  ]);
}

/** Finds who has aged conversations, and takes them, as many users at once as the compactor does. */
async function compactAll(ports: CompactPorts, config: Config): Promise<Compaction> {
  const queued: string[] = [];
  const add = async (_queue: string, users: readonly string[]) => void queued.push(...users);
  await queueAged({ ...ports, jobs: { add } }, config);
  const compactor = new Compactor(ports, config);
  const done = { conversations: 0, messages: 0 };
  await inFlight(queued, config.compactConcurrency, async (user) => {
    const compacted = await compactor.compact(user);
    done.conversations += compacted.conversations;
    done.messages += compacted.messages;
  });
  return done;
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1_000;
}

/** As the files are long, whatever blocks they take. */
function bytesIn(folder: string, kind: ColdKind): number {
  return readdirSync(join(folder, kind), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
}
