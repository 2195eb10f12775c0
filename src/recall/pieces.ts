/** Turns as pieces of a budget, and as they are delivered. */
import type { Piece, Taken } from './budget.ts';
import { type Part, dayText, headingOf, turnText } from './context.ts';
import type { RecalledMessage } from './recalled.ts';
import type { Turn } from './turn.ts';

/**
 * @param turns in the order in which they are wanted
 * @param inOrder the same, in the order in which they were said
 */
export function turnPieces(
  turns: readonly Turn[],
  inOrder: readonly Turn[],
  part: Exclude<Part, 'insights'>,
): Piece<Turn>[] {
  const identities = identitiesOf(inOrder);
  return turns.map((of) => {
    const day = dayText(of.at);
    return {
      of,
      text: turnText(of),
      // The same day stands once in each part.
      headings: [
        headingOf(part),
        ...(day === undefined ? [] : [{ key: `${part} ${day}`, text: day }]),
      ],
      identity: identities.get(of),
    };
  });
}

/**
 * What has no id of its own, as "ok", may be said again and again: counted from the latest, which stands in both tiers, so
 * that one is told from the other.
 */
function identitiesOf(turns: readonly Turn[]): Map<Turn, string> {
  const times = new Map<string, number>();
  const identities = new Map<Turn, string>();
  for (const turn of turns.toReversed()) {
    const { identity, named } = turn;
    const before = times.get(identity) ?? 0;
    times.set(identity, before + 1);
    identities.set(turn, named ? identity : `${identity} ${before}`);
  }
  return identities;
}

export function messageOf({ of, tokens }: Taken<Turn>): RecalledMessage {
  const { id, role, speaker, text, at } = of;
  return { id, role, speaker, text, at, tokens };
}
