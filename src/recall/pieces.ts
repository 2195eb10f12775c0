/** Turns as pieces of a budget, and as they are delivered. */
import type { Heading, Piece, Taken } from './budget.ts';
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
  const nameless = namelessIdentities(inOrder);
  const heading = headingOf(part);
  let latest: { readonly day: string | undefined; readonly headings: readonly Heading[] } = {
    day: undefined,
    headings: [heading],
  };
  return turns.map((of) => {
    const day = dayText(of.at);
    // The same day stands once in each part, and what is said next was mostly said on the same.
    if (day !== latest.day)
      latest = {
        day,
        headings: day === undefined ? [heading] : [heading, { key: `${part} ${day}`, text: day }],
      };
    return {
      of,
      text: of.lines ?? turnText(of),
      headings: latest.headings,
      identity: of.named ? of.identity : nameless.get(of),
    };
  });
}

/**
 * What has no id of its own, as "ok", may be said again and again: counted from the latest, which stands in both tiers, so
 * that one is told from the other.
 */
function namelessIdentities(turns: readonly Turn[]): Map<Turn, string> {
  const times = new Map<string, number>();
  const identities = new Map<Turn, string>();
  for (const turn of turns.toReversed()) {
    const { identity, named } = turn;
    if (named) continue;
    const before = times.get(identity) ?? 0;
    times.set(identity, before + 1);
    identities.set(turn, `${identity} ${before}`);
  }
  return identities;
}

export function messageOf({ of, tokens }: Taken<Turn>): RecalledMessage {
  const { id, role, speaker, text, at } = of;
  return { id, role, speaker, text, at, tokens };
}
