/** What was recalled, as three texts for a prompt. */
import { cartText, dayText, headingOf, insightText, stateText, turnText } from './context.ts';
import type { Recalled, RecalledMessage } from './recalled.ts';

/** Ready for a prompt; an empty text where there is nothing. */
export interface Context {
  /** Cart, state, and the latest messages, oldest first. */
  readonly immediate: string;
  /** Of earlier, by day, oldest first. */
  readonly relevant: string;
  readonly insights: string;
}

/**
 * The three parts as text; together they have the tokens that `recalled` counts. What was said stands in lines that begin
 * with `> `, so that no message can pass for an instruction of the application's own.
 */
export function contextOf({ immediate, relevant, insights }: Recalled): Context {
  const { cart, state, messages } = immediate;
  const byTime = relevant.toSorted((one, other) => (one.at ?? 0) - (other.at ?? 0));
  return {
    immediate: part('immediate', [
      cart.length > 0 ? cartText(cart) : '',
      Object.keys(state).length > 0 ? stateText(state) : '',
      ...linesOf(messages),
    ]),
    relevant: part('relevant', linesOf(byTime)),
    insights: part('insights', insights.map(insightText)),
  };
}

function part(name: keyof Context, lines: readonly string[]): string {
  const text = lines.join('');
  return text === '' ? '' : headingOf(name).text + text;
}

/** Each day is named once, before the first that was said on it. */
function linesOf(messages: readonly RecalledMessage[]): string[] {
  const named = new Set<string>();
  return messages.flatMap((message) => {
    const day = dayText(message.at);
    const line = turnText(message);
    if (day === undefined || named.has(day)) return [line];
    named.add(day);
    return [day, line];
  });
}
