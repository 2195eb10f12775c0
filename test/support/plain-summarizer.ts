import { messageText } from '../../src/model/message.ts';
import type { Transcript } from '../../src/model/transcript.ts';
import type { Summarizer, Summary } from '../../src/ports/summarizer.ts';

/** Says of a conversation how it began. */
export class PlainSummarizer implements Summarizer {
  readonly name = 'plain';
  /** How often it was asked. */
  asked = 0;

  async summarize({ messages }: Transcript): Promise<Summary> {
    this.asked += 1;
    const [first] = messages;
    if (!first) throw new Error('nobody said anything');
    const { message, identity } = first;
    const text = `began with ${messageText(message)}`;
    return {
      text,
      findings: [
        { kind: 'fact', text, sources: [{ message: message.id ?? identity, hash: identity }] },
      ],
    };
  }
}
