import type { CartAbandonedData } from '../../../model/event.ts';
import type { Draft, DraftRequest, Drafter } from '../../../ports/drafter.ts';
import { goodsIn } from './goods.ts';
import { hintFrom } from './hint.ts';
import { templateLanguage } from './language.ts';
import { type Tone, WORDINGS } from './wording.ts';

/** Counts up with the wording. */
const NAME = 'templates/1';

/** As many as a glance takes in. */
const NAMED_SHORT = 2;
const NAMED_MAIL = 5;

/**
 * Fixed wording in English, Hindi and Hindi in Latin letters: by stage, and short, but for mails. What is in the cart is
 * named; of what is remembered comes through at most which worry it may be, never a word that was said.
 */
export class TemplatesDrafter implements Drafter {
  draft({ about, context, language: said, channel, template }: DraftRequest): Promise<Draft> {
    const language = templateLanguage(said);
    const wording = WORDINGS[language];
    const tone = toneOf(about);
    // Approved wording has places for names and for nothing else.
    const hint = template ? undefined : hintFrom(context.insights, about.cart);
    const closing = hint === undefined ? [] : [wording.hint[hint]];
    if (channel.toLowerCase() !== 'email') {
      const goods = listed(about, NAMED_SHORT, wording.list);
      return Promise.resolve({
        language,
        by: NAME,
        text: [wording.short[tone](goods), ...closing].join(' '),
      });
    }
    const goods = listed(about, NAMED_MAIL, wording.list);
    const lines = [wording.greeting, [wording.body[tone](goods), ...closing].join(' ')];
    return Promise.resolve({
      language,
      by: NAME,
      subject: wording.subject[tone],
      text: [...lines, wording.farewell].join('\n\n'),
    });
  }
}

function listed(
  { cart }: CartAbandonedData,
  most: number,
  list: (named: readonly string[], others: number) => string,
): string {
  const { named, others } = goodsIn(cart, most);
  return list(named, others);
}

/** Where there is one stage alone, it is a first one: nobody was reminded yet. */
function toneOf({ stage, stages }: CartAbandonedData): Tone {
  if (stage === 0) return 'first';
  return stage >= stages - 1 ? 'last' : 'between';
}
