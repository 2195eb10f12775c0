import type { Finding, Insight } from '../model/insight.ts';
import type { Transcript } from '../model/transcript.ts';

/** What is kept of a conversation in front of everybody; the transcript itself is kept, too. */
export interface Summary {
  /** The conversation in a few sentences. */
  readonly text: string;
  readonly findings: readonly Finding[];
}

export interface Summarizer {
  /** Who made a summary: name and version, or model. Stands in the record. */
  readonly name: string;

  /**
   * Says what is worth keeping of a conversation, however long it is: an oversized one is taken in pieces, never cut.
   * @param known what holds of the user so far, for what is superseded
   * @throws if it cannot: the conversation stays where it is, and is tried again
   */
  summarize(
    transcript: Transcript,
    known: readonly Insight[],
    signal?: AbortSignal,
  ): Promise<Summary>;
}
