/** One question to a model, through the official client. */
import OpenAI, {
  APIConnectionError,
  APIConnectionTimeoutError,
  APIError,
  AzureOpenAI,
} from 'openai';
import { SummarizerUnavailableError, SummaryRefusedError } from '../../../model/errors.ts';
import { ANSWER_SCHEMA } from './answer.ts';

export interface ChatOptions {
  /** Name of the model; for Azure, of the deployment. */
  readonly model: string;
  /** For Azure also a function that gives an access token of Microsoft Entra. */
  readonly apiKey: string | (() => Promise<string>);
  /** Where an OpenAI-compatible server stands, `/v1` included; default OpenAI's own. */
  readonly baseUrl?: string;
  /** Set for Azure OpenAI, in place of `baseUrl`. */
  readonly azure?: { readonly endpoint: string; readonly apiVersion: string };
  /** Bounds one question, repeats included. Default 60 s. */
  readonly timeoutMs?: number;
  /** How often the client asks again after 408, 409, 429, 5xx and broken connections. Default 2. */
  readonly retries?: number;
}

const BASE_URL = 'https://api.openai.com/v1';
const TIMEOUT_MS = 60_000;
const RETRIES = 2;

export class Chat {
  readonly #client: OpenAI;
  readonly #model: string;
  readonly #timeoutMs: number;

  constructor({
    model,
    apiKey,
    baseUrl,
    azure,
    timeoutMs = TIMEOUT_MS,
    retries = RETRIES,
  }: ChatOptions) {
    this.#model = model;
    this.#timeoutMs = timeoutMs;
    // Said in full, so that no variable of the environment decides where conversations go; and nothing is logged there.
    const common = {
      organization: null,
      project: null,
      timeout: timeoutMs,
      maxRetries: retries,
      logLevel: 'off',
    } as const;
    if (azure) {
      const key =
        typeof apiKey === 'string' ? { apiKey } : { azureADTokenProvider: apiKey, apiKey: '' };
      const baseURL = `${azure.endpoint.replace(/\/+$/, '')}/openai`;
      const { apiVersion } = azure;
      this.#client = new AzureOpenAI({ ...common, ...key, baseURL, apiVersion, deployment: model });
    } else {
      this.#client = new OpenAI({ ...common, apiKey, baseURL: baseUrl ?? BASE_URL });
    }
  }

  /**
   * @returns what the model answered, not looked at
   * @throws SummarizerUnavailableError, SummaryRefusedError where the model refuses or breaks off; the reason of `signal`
   */
  async ask(instructions: string, question: string, signal?: AbortSignal): Promise<string> {
    const deadline = AbortSignal.timeout(this.#timeoutMs);
    const choice = await this.#client.chat.completions
      .create(
        {
          model: this.#model,
          messages: [
            { role: 'system', content: instructions },
            { role: 'user', content: question },
          ],
          response_format: {
            type: 'json_schema',
            json_schema: { name: 'summary', strict: true, schema: ANSWER_SCHEMA },
          },
        },
        { signal: signal ? AbortSignal.any([signal, deadline]) : deadline },
      )
      .then((answer) => firstChoice(answer))
      .catch((error: unknown) => {
        signal?.throwIfAborted();
        throw deadline.aborted ? this.#tooSlow() : this.#translated(error);
      });
    if (choice.refusal) throw new SummaryRefusedError('the model refuses to answer');
    if (choice.finish !== 'stop')
      throw new SummaryRefusedError(`the model broke off its answer: ${choice.finish}`);
    return choice.content;
  }

  #tooSlow(): SummarizerUnavailableError {
    return new SummarizerUnavailableError(`the model did not answer within ${this.#timeoutMs} ms`);
  }

  /** Without the cause: what the client says of an error may hold what was sent, and with which key. */
  #translated(error: unknown): Error {
    if (error instanceof SummaryRefusedError) return error;
    if (error instanceof APIConnectionTimeoutError) return this.#tooSlow();
    if (error instanceof APIConnectionError)
      return new SummarizerUnavailableError('the model cannot be reached');
    if (error instanceof APIError && typeof error.status === 'number')
      return new SummarizerUnavailableError(`the model's server answers ${error.status}`);
    return new SummarizerUnavailableError("the model's server answers what its client cannot read");
  }
}

const FINISHES = ['length', 'content_filter', 'tool_calls', 'function_call'];

/** Servers are compatible to a degree: nothing of the shape is taken for granted. */
function firstChoice(answer: unknown): { content: string; refusal: boolean; finish: string } {
  const { choices } = (answer ?? {}) as { choices?: unknown };
  const [first] = (Array.isArray(choices) ? choices : []) as unknown[];
  const { message, finish_reason: finish } = (first ?? {}) as Readonly<Record<string, unknown>>;
  const { content, refusal } = (message ?? {}) as Readonly<Record<string, unknown>>;
  const refused = typeof refusal === 'string' && refusal !== '';
  if (typeof content !== 'string' && !refused)
    throw new SummaryRefusedError("the model's server gives no answer");
  return {
    content: typeof content === 'string' ? content : '',
    refusal: refused,
    finish: typeof finish === 'string' && FINISHES.includes(finish) ? finish : 'stop',
  };
}
