import type { Note } from '../model/ledger.ts';
import type { Look } from './decision.ts';
import { nextSequence } from './episode.ts';

/** Of an episode so many messages are kept: the latest. */
const TOUCHES_KEPT = 16;

/** Takes what subscribers noted into the ledger. A message is told of whatever became of its episode meanwhile. */
export function takeNotes(
  look: Pick<Look, 'draft' | 'events' | 'now'>,
  notes: readonly Note[],
): void {
  const { draft, events } = look;
  for (const note of notes) {
    const episode = draft.episode?.openedAt === note.episode ? draft.episode : undefined;
    if (note.what === 'reply') {
      if (episode) episode.repliedAt = Math.min(note.at, episode.repliedAt ?? Infinity);
      continue;
    }
    const { stage, at, channel, messageId } = note;
    const touches = episode?.touches ?? [];
    const known = touches.some(
      (touch) =>
        touch.stage === stage && touch.channel === channel && touch.messageId === messageId,
    );
    if (known) continue;
    const touch = { stage, at, channel, messageId };
    if (episode) episode.touches = [...touches, touch].slice(-TOUCHES_KEPT);
    events.push({
      type: 'cart.touched',
      episode: note.episode,
      sequence: nextSequence(look),
      ...touch,
    });
  }
}
