/** A conversation in pieces that a model takes at once. */
import { messageText } from '../../../model/message.ts';
import type { Said } from '../../../model/said.ts';

/** A message, or a part of one that alone is too long. */
export interface Piece {
  /** Position of its message in the conversation, from 0. */
  readonly index: number;
  readonly role: string;
  readonly text: string;
  /** Set where the message is in parts: which, from 1, and of how many. */
  readonly part?: { readonly number: number; readonly of: number };
}

/** Room for the label, role and quotes of a message. */
const LINE_TOKENS = 16;

/**
 * All messages in order, in chunks of at most `chunkTokens` each. A message stands whole in one chunk unless it alone is
 * longer: then its parts, put together, are the message.
 */
export function chunksOf(
  messages: readonly Said[],
  { chunkTokens, countTokens }: { chunkTokens: number; countTokens: (text: string) => number },
): Piece[][] {
  const chunks: Piece[][] = [];
  let open: Piece[] = [];
  let left = chunkTokens;
  for (const [index, { message }] of messages.entries()) {
    const texts = partsOf(
      messageText(message),
      (text) => countTokens(text) + LINE_TOKENS <= chunkTokens,
    );
    for (const [at, text] of texts.entries()) {
      const tokens = countTokens(text) + LINE_TOKENS;
      if (tokens > left && open.length > 0) {
        chunks.push(open);
        [open, left] = [[], chunkTokens];
      }
      const part = texts.length > 1 ? { part: { number: at + 1, of: texts.length } } : {};
      open.push({ index, role: message.role, text, ...part });
      left -= tokens;
    }
  }
  if (open.length > 0) chunks.push(open);
  return chunks;
}

/** Halves a text until each part fits, between two words where there are any; one character is never halved. */
function partsOf(text: string, fits: (text: string) => boolean): string[] {
  if (text.length <= 2 || fits(text)) return [text];
  const middle = text.length >> 1;
  const blank = text.indexOf(' ', middle);
  let at = blank > 0 && blank < text.length - 1 && blank - middle < middle / 2 ? blank + 1 : middle;
  // Not between the two halves of a character beyond the first 65,536.
  if (/[\uDC00-\uDFFF]/.test(text.charAt(at))) at += 1;
  return [...partsOf(text.slice(0, at), fits), ...partsOf(text.slice(at), fits)];
}
