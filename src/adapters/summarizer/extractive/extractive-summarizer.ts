/** The default summarizer: a conversation's own sentences and rules, no model and no network. */
import { cartValue, parseCart } from '../../../model/cart.ts';
import type { Finding, Insight } from '../../../model/insight.ts';
import type { Outcome, Transcript } from '../../../model/transcript.ts';
import type { Summarizer, Summary } from '../../../ports/summarizer.ts';
import { behaviourIn } from './behaviour.ts';
import { digest } from './digest.ts';
import { habitsIn } from './habits.ts';
import { heardIn, turnsIn } from './heard.ts';
import { mistakesIn } from './mistakes.ts';
import { type Stated, statementsIn } from './said-statements.ts';
import { type Statement, contradicts, kindOf, sentenceOf, statementOf } from './statement.ts';

export interface ExtractiveSummarizerOptions {
  readonly countTokens: (text: string) => number;
  /** Of the summary's text, the line on the cart not counted. */
  readonly budgetTokens?: number;
}

/** A few sentences. */
const BUDGET_TOKENS = 120;

/** Another version may find other things in the same conversation. */
const NAME = 'extractive/1';

/**
 * The same conversation and the same known insights always give the same summary. Reads every message of `user` and of
 * those who answer, in English, Hindi and Hindi in Latin letters; what is in another language is summarised by its own
 * sentences, but no rule finds anything in it. Numbers of people (telephone, card, codes) and e-mail addresses are masked.
 */
export class ExtractiveSummarizer implements Summarizer {
  readonly name = NAME;
  readonly #options: Required<ExtractiveSummarizerOptions>;

  constructor({ countTokens, budgetTokens = BUDGET_TOKENS }: ExtractiveSummarizerOptions) {
    this.#options = { countTokens, budgetTokens };
  }

  async summarize(
    transcript: Transcript,
    known: readonly Insight[],
    signal?: AbortSignal,
  ): Promise<Summary> {
    signal?.throwIfAborted();
    const heard = heardIn(transcript);
    const text = [digest(turnsIn(transcript), this.#options), ...cartLine(transcript)].filter(
      (line) => line !== '',
    );
    const statements = statementsIn(heard);
    const findings = [
      ...stated(statements, known),
      ...habitsIn(heard, new Set(statements.map(({ sentence }) => sentence))),
      ...mistakesIn(heard),
      ...behaviourIn(heard, transcript),
    ];
    return { text: text.join('\n'), findings: merged(findings) };
  }
}

const BECAME: Readonly<Record<Outcome, string>> = {
  ordered: 'it was ordered',
  recovered: 'it was announced as abandoned, then ordered',
  returned: 'it was announced as abandoned; the user came back and did not order',
  lost: 'it was announced as abandoned, and nothing followed',
};

/** What stood in the cart, and what became of it: numbers, no names of goods. */
function cartLine({ fields, outcome }: Transcript): string[] {
  const cart = parseCart(fields['cart']);
  const items = 'items' in cart ? cart.items : [];
  if (items.length === 0 && outcome === undefined) return [];
  const count = items.reduce((sum, { quantity = 1 }) => sum + quantity, 0);
  const value = cartValue(items);
  const what =
    items.length === 0
      ? 'The cart is empty'
      : `The cart holds ${count} ${count === 1 ? 'item' : 'items'}`;
  const worth = value > 0 ? ` worth ${value}` : '';
  return [`${what}${worth}${outcome === undefined ? '' : `: ${BECAME[outcome]}`}.`];
}

/** Of what contradicts itself in one conversation the later holds. */
function stated(all: readonly Stated[], known: readonly Insight[]): Finding[] {
  const before = known.flatMap(({ id, text }) => {
    const statement = statementOf(text);
    return statement ? [{ id, statement }] : [];
  });
  return all.flatMap(({ statement, sources }, index) => {
    if (all.slice(index + 1).some((later) => contradicts(later.statement, statement))) return [];
    const text = sentenceOf(statement);
    if (text === undefined) return [];
    const supersedes = replaced(statement, before);
    const finding = { kind: kindOf(statement), text, sources };
    return [supersedes.length > 0 ? { ...finding, supersedes } : finding];
  });
}

function replaced(
  statement: Statement,
  before: readonly { readonly id: string; readonly statement: Statement }[],
): string[] {
  return before.filter((old) => contradicts(statement, old.statement)).map(({ id }) => id);
}

/** One finding for each kind and sentence, with the sources of all. */
function merged(findings: readonly Finding[]): Finding[] {
  const all = new Map<string, Finding>();
  for (const finding of findings) {
    const key = `${finding.kind}\0${finding.text}`;
    const other = all.get(key);
    const sources = new Map(
      [...(other?.sources ?? []), ...finding.sources].map((source) => [
        `${source.message}\0${source.hash}`,
        source,
      ]),
    );
    all.set(key, { ...finding, sources: [...sources.values()] });
  }
  return [...all.values()];
}
