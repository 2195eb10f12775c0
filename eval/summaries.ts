/**
 * Our extractive summaries beside two that everybody can make, scored against summaries by people: the first three turns
 * of a dialogue, and its longest three. All three have the same budget of tokens; what is over it is cut at a word.
 */
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { cutToTokens, digest } from '../src/adapters/summarizer/extractive/digest.ts';
import type { Turn } from '../src/adapters/summarizer/extractive/sentences.ts';
import { type Dialogue, readDialogsum } from './dialogsum-file.ts';
import { type Rouge, rouge } from './rouge.ts';
import type { Row } from './row.ts';

/**
 * Tokens that each of the three may take: about what people's summaries of a dialogue take, and up to twice that. Round
 * numbers; who is better does not hang on them (docs/insights.md).
 */
const BUDGETS = [32, 48, 64];

const TURNS = 3;

const METRICS = ['rouge1', 'rouge2', 'rougeL'] as const;
const METRIC_NAMES = { rouge1: 'ROUGE-1', rouge2: 'ROUGE-2', rougeL: 'ROUGE-L' } as const;

type Method = (turns: readonly Turn[], budgetTokens: number) => string;

const ours: Method = (turns, budgetTokens) => digest(turns, { budgetTokens, countTokens });

const BASELINES: Readonly<Record<string, Method>> = {
  'first three turns': (turns, budgetTokens) => cut(turns.slice(0, TURNS), budgetTokens),
  'longest three turns': (turns, budgetTokens) => cut(longest(turns), budgetTokens),
};

/**
 * Mean F1 over all dialogues, for each budget (`k`, tokens), metric and baseline.
 * @param file in the form of DialogSum
 * @throws if the file cannot be read, or a line is no dialogue
 */
export async function summaryRows(file: string): Promise<Row[]> {
  const dialogues = readDialogsum(file);
  return BUDGETS.flatMap((k) => {
    const own = meanOf(dialogues, ours, k);
    return Object.entries(BASELINES).flatMap(([baselineName, method]) => {
      const other = meanOf(dialogues, method, k);
      return METRICS.map((metric) => ({
        name: `summaries: ${METRIC_NAMES[metric]} F1 at k tokens, beside ${baselineName}`,
        k,
        ours: percent(own[metric]),
        baseline: percent(other[metric]),
        met: own[metric] > other[metric],
      }));
    });
  });
}

/** To a tenth, as the other rows are told. */
function percent(share: number): number {
  return Math.round(share * 1_000) / 10;
}

/** By characters, in the order of the dialogue; of two that are as long, the first. */
function longest(turns: readonly Turn[]): Turn[] {
  const best = new Set(
    turns.toSorted((one, other) => other.text.length - one.text.length).slice(0, TURNS),
  );
  return turns.filter((turn) => best.has(turn));
}

function cut(turns: readonly Turn[], budgetTokens: number): string {
  const text = turns.map((turn) => `${turn.speaker}: ${turn.text}`).join('\n');
  return cutToTokens(text, { budgetTokens, countTokens });
}

function meanOf(dialogues: readonly Dialogue[], method: Method, budgetTokens: number): Rouge {
  const sum = { rouge1: 0, rouge2: 0, rougeL: 0 };
  for (const { turns, summary } of dialogues) {
    const score = rouge(method(turns, budgetTokens), summary);
    for (const metric of METRICS) sum[metric] += score[metric];
  }
  const share = (metric: keyof Rouge): number => sum[metric] / dialogues.length;
  return { rouge1: share('rouge1'), rouge2: share('rouge2'), rougeL: share('rougeL') };
}
