/** A drafter that asks a model of OpenAI, Azure OpenAI, or any server that speaks as they do. */
import { errorMessage } from '../../../model/errors.ts';
import type { Draft, DraftRequest, Drafter } from '../../../ports/drafter.ts';
import { Chat, type ChatErrors, type ChatOptions } from '../../openai/chat.ts';
import { ANSWER_SCHEMA, understood } from './answer.ts';
import { INSTRUCTIONS, cartOf, questionOf } from './question.ts';

export interface OpenAiDrafterOptions extends ChatOptions {
  /** Writes where the model does not, or nothing that may be sent, and what must be worded as approved. */
  readonly fallback: Drafter;
  /** Told why it does. */
  readonly onFallback?: (why: string) => void;
}

/** A customer is reminded in hours; but an agent's hands are full meanwhile. */
const TIMEOUT_MS = 20_000;

const ERRORS: ChatErrors = {
  unavailable: (message) => new Error(message),
  refused: (message) => new Error(message),
};

/** What was said goes to the model as data; what comes back is looked at, and sent only if it is short and has no address of its own. */
export class OpenAiDrafter implements Drafter {
  readonly #name: string;
  readonly #chat: Chat;
  readonly #fallback: Drafter;
  readonly #onFallback: (why: string) => void;

  constructor({ fallback, onFallback = () => undefined, ...chat }: OpenAiDrafterOptions) {
    this.#name = `${chat.azure ? 'azure-openai' : 'openai'}/${chat.model}`;
    this.#chat = new Chat({ timeoutMs: TIMEOUT_MS, ...chat }, ERRORS);
    this.#fallback = fallback;
    this.#onFallback = onFallback;
  }

  /** @throws the reason of `signal`, and what the fallback throws */
  async draft(request: DraftRequest, signal?: AbortSignal): Promise<Draft> {
    if (request.template) return this.#fallback.draft(request, signal);
    const written = await this.#ask(request, signal);
    if (typeof written !== 'string') return written;
    this.#onFallback(written);
    return this.#fallback.draft(request, signal);
  }

  /** @returns why nothing came of it, as a text */
  async #ask(request: DraftRequest, signal?: AbortSignal): Promise<Draft | string> {
    const mail = request.channel.toLowerCase() === 'email';
    try {
      const answer = await this.#chat.ask(
        {
          instructions: INSTRUCTIONS,
          text: questionOf(request),
          answer: { name: 'message', schema: ANSWER_SCHEMA },
        },
        signal,
      );
      const written = understood(answer, mail, cartOf(request));
      if (typeof written === 'string') return written;
      const { subject, text } = written;
      return { text, ...(mail && { subject }), language: request.language ?? 'en', by: this.#name };
    } catch (error) {
      signal?.throwIfAborted();
      return errorMessage(error);
    }
  }
}
