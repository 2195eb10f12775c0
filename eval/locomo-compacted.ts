/** What recall still delivers of a conversation once it is compacted. */
import { FilesCold } from '../src/adapters/cold/files/files-cold.ts';
import { ExtractiveSummarizer } from '../src/adapters/summarizer/extractive/extractive-summarizer.ts';
import { DAY_MS } from '../src/model/duration.ts';
import { type RecallPorts, recall } from '../src/recall/recall.ts';
import { type CompactPorts, Compactor } from '../src/tiers/compact.ts';
import type { Conversation } from './locomo-file.ts';

/** Nobody's disk is that slow, and what is measured here is not speed. */
const DEADLINE_MS = 60_000;

/**
 * Compacts every session but the last, and asks again: shares of the evidence that is quoted, or that something learned
 * names as its source, a row for each question and a figure for each budget.
 */
export async function sharesCompacted(
  conversation: Conversation,
  folder: string,
  ports: Omit<RecallPorts, 'cold'> & Pick<CompactPorts, 'clock' | 'warm'>,
  budgets: readonly number[],
): Promise<number[][]> {
  const { name } = conversation;
  const cold = await FilesCold.open(folder, ports.clock);
  await compactAll({ ...ports, cold }, conversation);
  const rows: number[][] = [];
  for (const { question: query, evidence } of conversation.questions) {
    const row: number[] = [];
    for (const budgetTokens of budgets) {
      const request = { query, budgetTokens, deadlineMs: DEADLINE_MS };
      const { relevant, insights } = await recall(name, request, { ...ports, cold });
      const found = new Set(relevant.map(({ id }) => id));
      for (const { sources } of insights) for (const { message } of sources) found.add(message);
      row.push(evidence.filter((id) => found.has(id)).length / evidence.length);
    }
    rows.push(row);
  }
  await cold.close();
  return rows;
}

async function compactAll(
  {
    clock,
    warm,
    cold,
    countTokens,
    records: { names },
  }: Pick<CompactPorts, 'clock' | 'warm' | 'cold'> & Pick<RecallPorts, 'records' | 'countTokens'>,
  { name, sessions }: Conversation,
): Promise<void> {
  const last = sessions.at(-1)?.[0]?.at ?? clock.now();
  const summarizer = new ExtractiveSummarizer({ countTokens });
  const records: CompactPorts['records'] = {
    names,
    fence: async (now) => now,
    snapshot: async (user) => ({
      user,
      fields: undefined,
      leftOut: [],
      overflow: [],
      window: [],
      nextFrom: undefined,
      leftMs: undefined,
      erasedAt: undefined,
      ledger: { ledger: undefined, version: '', pending: [], notes: [] },
      digest: '',
      overflowDigest: '',
    }),
  };
  const compactor = new Compactor(
    { clock, warm, cold, records, summarizer },
    { warmAgeMs: Math.max(DAY_MS, clock.now() - last), warmTtlMs: undefined },
  );
  await compactor.compact(name);
}
