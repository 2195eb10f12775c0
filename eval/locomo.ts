/** How much of the evidence recall finds in long conversations, without embeddings: see README of the data for LoCoMo. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteWarm } from '../src/adapters/warm/sqlite/sqlite-warm.ts';
import { type Segment, appended, segmentEntry } from '../src/model/conversation.ts';
import { said } from '../src/model/said.ts';
import { SessionNames } from '../src/model/session-names.ts';
import type { WarmStore } from '../src/ports/warm.ts';
import { Budget, type CountTokens } from '../src/recall/budget.ts';
import { turnPieces } from '../src/recall/pieces.ts';
import { type RecallPorts, recall } from '../src/recall/recall.ts';
import { TermIndex } from '../src/recall/term-index.ts';
import { type Turn, turnOf } from '../src/recall/turn.ts';
import { termsOf } from '../src/recall/words.ts';
import { sharesCompacted } from './locomo-compacted.ts';
import { type Conversation, type EvidenceQuestion, readLocomo } from './locomo-file.ts';
import type { Row } from './row.ts';

const KS = [5, 10, 25, 50];
const BUDGETS = [1_000, 2_700, 8_000];

/** Room for every turn there is: what is asked then is the order. */
const NO_LIMIT = 1_000_000_000;

/** Nobody's disk is that slow, and what is measured here is not speed. */
const DEADLINE_MS = 60_000;

/** In percent, of the first 5, 10, 25 and 50: as published for DRAGON over ten conversations; the sketch over the five. */
const KNOWN = [
  { name: 'the published dense retriever', values: [56.7, 66.2, 76.7, 82.7] },
  { name: 'the sketch', values: [69.5, 77.8, 85.5, 89.6] },
];

/** By the paper's numbers. */
const TYPES: ReadonlyMap<number, string> = new Map([
  [1, 'several facts'],
  [2, 'time'],
  [3, 'world knowledge'],
  [4, 'one fact'],
  [5, 'about the wrong speaker'],
]);

/** What one question gave: shares of its evidence, 0 to 1, by what was measured. */
interface Outcome {
  readonly conversation: string;
  readonly category: number;
  readonly ours: readonly number[];
  readonly bm25: readonly number[];
  readonly newest: readonly number[];
  /** Within the budgets, once all sessions but the last are compacted: what was said and what was learned of it. */
  compacted: readonly number[];
}

/** @param onProgress told of each conversation */
export async function locomoRows(
  file: string,
  countTokens: CountTokens,
  onProgress: (text: string) => void,
): Promise<Row[]> {
  const outcomes: Outcome[] = [];
  const conversations = readLocomo(file);
  for (const conversation of conversations) {
    onProgress(`${conversation.name}: ${conversation.questions.length} questions`);
    outcomes.push(...(await askAll(conversation, countTokens)));
  }
  return rowsOf(outcomes);
}

/** All sessions of the conversation in a warm tier of its own. */
async function askAll(
  conversation: Conversation,
  countTokens: CountTokens,
): Promise<readonly Outcome[]> {
  const folder = mkdtempSync(join(tmpdir(), 'rekindle-eval-'));
  const at = conversation.sessions.at(-1)?.at(-1)?.at ?? 0;
  const clock = { now: () => at, sleep: () => Promise.resolve() };
  const warm = new SqliteWarm(join(folder, 'warm.sqlite'), clock);
  try {
    await load(warm, conversation, at);
    const ports = { clock, records: NOTHING_HOT, warm, cold: undefined, countTokens };
    const baselines = new Baselines(conversation, countTokens);
    const outcomes: Outcome[] = [];
    for (const question of conversation.questions)
      outcomes.push(await ask(conversation, question, ports, baselines));
    const shares = await sharesCompacted(conversation, join(folder, 'cold'), ports, BUDGETS);
    for (const [index, outcome] of outcomes.entries()) outcome.compacted = shares[index] ?? [];
    return outcomes;
  } finally {
    await warm.close();
    rmSync(folder, { recursive: true });
  }
}

async function load(warm: WarmStore, { name, sessions }: Conversation, now: number): Promise<void> {
  let last: Segment | undefined;
  for (const messages of sessions) {
    const epoch = messages[0]?.at ?? now;
    const texts = messages.map((message) => said(JSON.stringify(message)));
    const segments = appended({ user: name }, epoch, last, last?.number ?? 0, texts);
    const writes = segments.map((segment) => ({ entry: segmentEntry(segment, {}, now) }));
    const results = await warm.put(name, writes);
    if (results.some(({ outcome }) => outcome !== 'written'))
      throw new Error(`${name} could not be written to warm`);
    last = segments.at(-1) ?? last;
  }
}

/** Every session has been demoted. */
const NOTHING_HOT: RecallPorts['records'] = {
  names: new SessionNames('session:<user_id>'),
  recent: async () => ({
    fields: {},
    leftOut: [],
    messages: [],
    more: false,
    erasedAt: undefined,
  }),
};

async function ask(
  { name }: Conversation,
  { question: query, category, evidence }: EvidenceQuestion,
  ports: RecallPorts,
  baselines: Baselines,
): Promise<Outcome> {
  const delivered = async (budgetTokens: number): Promise<string[]> => {
    const request = { query, budgetTokens, deadlineMs: DEADLINE_MS };
    const { relevant, dropped } = await recall(name, request, ports);
    const failed = dropped.find(({ reason }) => reason !== 'budget');
    if (failed) throw new Error(`recall left something out: ${JSON.stringify(failed)}`);
    return relevant.map(({ id }) => id);
  };
  const order = await delivered(NO_LIMIT);
  const within = await Promise.all(BUDGETS.map(delivered));
  const share = (ids: readonly string[]): number => {
    const found = new Set(ids);
    return evidence.filter((id) => found.has(id)).length / evidence.length;
  };
  const sharesOf = (turns: readonly Turn[]): number[] => [
    ...KS.map((k) => share(turns.slice(0, k).map(({ id }) => id))),
    ...BUDGETS.map((tokens) => share(baselines.within(turns, tokens))),
  ];
  return {
    conversation: name,
    category,
    ours: [...KS.map((k) => share(order.slice(0, k))), ...within.map(share)],
    bm25: sharesOf(baselines.byWords(query)),
    newest: sharesOf(baselines.newest),
    compacted: [],
  };
}

/** What others do with the same turns and the same budget. */
class Baselines {
  readonly newest: readonly Turn[];
  readonly #turns: readonly Turn[];
  readonly #index: TermIndex;
  readonly #count: CountTokens;

  constructor({ sessions }: Conversation, count: CountTokens) {
    this.#turns = sessions.flatMap((messages, session) =>
      messages.map((message) =>
        turnOf(said(JSON.stringify(message)), { conversation: String(session) }),
      ),
    );
    this.newest = this.#turns.toReversed();
    this.#index = new TermIndex(this.#turns.map(({ text }) => termsOf(text)));
    this.#count = count;
  }

  /** BM25 and nothing else. */
  byWords(query: string): Turn[] {
    const scores = this.#index.scores(new Map(termsOf(query).map((term) => [term, 1])));
    return [...this.#turns.entries()]
      .toSorted(([one], [other]) => (scores[other] ?? 0) - (scores[one] ?? 0) || other - one)
      .map(([, turn]) => turn);
  }

  within(turns: readonly Turn[], tokens: number): string[] {
    const pieces = turnPieces(turns, this.#turns, 'relevant');
    return new Budget(tokens, this.#count).fill(pieces, tokens).taken.map(({ of }) => of.id);
  }
}

function rowsOf(outcomes: readonly Outcome[]): Row[] {
  const rows: Row[] = [];
  const types = [...TYPES].map(([category, name]) => ({
    name: `, ${name}`,
    of: outcomes.filter((outcome) => outcome.category === category),
  }));
  const conversations = [...new Set(outcomes.map(({ conversation }) => conversation))].map(
    (name) => ({ name: `, ${name}`, of: outcomes.filter((one) => one.conversation === name) }),
  );
  const groups = [{ name: '', of: outcomes }, ...types, ...conversations].filter(
    ({ of }) => of.length > 0,
  );
  for (const [place, k] of KS.entries()) {
    for (const { name, values } of KNOWN)
      rows.push(
        rowOf(`evidence among the first k, beside ${name}`, k, {
          ours: mean(outcomes, 'ours', place),
          baseline: values[place] ?? NaN,
        }),
      );
    for (const { name, of } of groups) {
      const ours = mean(of, 'ours', place);
      const baseline = mean(of, 'bm25', place);
      rows.push(rowOf(`evidence among the first k${name}, beside BM25`, k, { ours, baseline }));
    }
    rows.push(
      rowOf('evidence among the first k, beside the newest', k, {
        ours: mean(outcomes, 'ours', place),
        baseline: mean(outcomes, 'newest', place),
      }),
    );
  }
  for (const [index, tokens] of BUDGETS.entries())
    for (const { name, of } of groups)
      for (const [peer, what] of PEERS)
        rows.push(
          rowOf(`evidence within ${tokens} tokens, all warm${name}, beside ${what}`, undefined, {
            ours: mean(of, 'ours', KS.length + index),
            baseline: mean(of, peer, KS.length + index),
          }),
        );
  for (const [index, tokens] of BUDGETS.entries())
    for (const { name, of } of groups)
      rows.push(
        rowOf(
          `evidence within ${tokens} tokens, all but the last session compacted${name}, beside the newest, all warm`,
          undefined,
          {
            ours: mean(of, 'compacted', index),
            baseline: mean(of, 'newest', KS.length + index),
          },
        ),
      );
  return rows;
}

const PEERS = [
  ['bm25', 'BM25'],
  ['newest', 'the newest'],
] as const;

function rowOf(
  name: string,
  k: number | undefined,
  { ours, baseline }: Pick<Row, 'ours' | 'baseline'>,
): Row {
  const [own, other] = [round(ours), round(baseline)];
  return { name, ...(k !== undefined && { k }), ours: own, baseline: other, met: own > other };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** In percent, over questions. */
function mean(
  outcomes: readonly Outcome[],
  who: 'ours' | 'bm25' | 'newest' | 'compacted',
  place: number,
): number {
  const sum = outcomes.reduce((total, outcome) => total + (outcome[who][place] ?? 0), 0);
  return (100 * sum) / Math.max(1, outcomes.length);
}
