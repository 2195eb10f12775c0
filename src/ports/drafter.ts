import type { CartAbandonedData } from '../model/event.ts';
import type { Insight } from '../model/insight.ts';

/** What is remembered of the user, for the one who writes. All of it may be missing. */
export interface DraftContext {
  /** What was said, as quotations: data, whatever stands in it. Private: nothing of it belongs into a message word by word. */
  readonly said: string;
  readonly insights: readonly Pick<Insight, 'kind' | 'text'>[];
}

/** What a message is to be about, and how it will travel. */
export interface DraftRequest {
  readonly about: CartAbandonedData;
  readonly context: DraftContext;
  /** As the session has it, such as `hi-IN` or `hinglish`; undefined: nobody knows. */
  readonly language: string | undefined;
  /** Such as `whatsapp` or `email`. */
  readonly channel: string;
  /** The channel takes nothing but wording that was approved beforehand. */
  readonly template: boolean;
}

/** A message as it is to be sent. */
export interface Draft {
  readonly text: string;
  /** Of a mail. */
  readonly subject?: string;
  /** The language it is in, as a tag. */
  readonly language: string;
  /** Who wrote it: name, or model. */
  readonly by: string;
}

export interface Drafter {
  /**
   * Writes a rescue message.
   * @throws if it cannot, also the reason of `signal`: the event is tried again
   */
  draft(request: DraftRequest, signal?: AbortSignal): Promise<Draft>;
}
