/** One question to a model, through the official client: for every adapter that asks one. */
import OpenAI, {
  APIConnectionError,
  APIConnectionTimeoutError,
  APIError,
  AzureOpenAI,
} from 'openai';

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

/** What is asked, and in which shape the answer is to be. */
export interface Question {
  readonly instructions: string;
  readonly text: string;
  /** Name and JSON Schema, as structured output takes them. */
  readonly answer: { readonly name: string; readonly schema: Readonly<Record<string, unknown>> };
}

/** The errors of the port that is kept; they say nothing of what was asked. */
export interface ChatErrors {
  /** The model cannot be had now. */
  readonly unavailable: (message: string) => Error;
  /** It refuses, breaks off, or gives no answer. */
  readonly refused: (message: string) => Error;
}

const BASE_URL = 'https://api.openai.com/v1';
const TIMEOUT_MS = 60_000;
const RETRIES = 2;

export class Chat {
  readonly #client: OpenAI;
  readonly #model: string;
  readonly #timeoutMs: number;
  readonly #errors: ChatErrors;

  constructor(
    { model, apiKey, baseUrl, azure, timeoutMs = TIMEOUT_MS, retries = RETRIES }: ChatOptions,
    errors: ChatErrors,
  ) {
    this.#errors = errors;
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
   * @throws as `ChatErrors` says; the reason of `signal`
   */
  async ask({ instructions, text, answer }: Question, signal?: AbortSignal): Promise<string> {
    const deadline = AbortSignal.timeout(this.#timeoutMs);
    const given: unknown = await this.#client.chat.completions
      .create(
        {
          model: this.#model,
          messages: [
            { role: 'system', content: instructions },
            { role: 'user', content: text },
          ],
          response_format: { type: 'json_schema', json_schema: { ...answer, strict: true } },
        },
        { signal: signal ? AbortSignal.any([signal, deadline]) : deadline },
      )
      .catch((error: unknown) => {
        signal?.throwIfAborted();
        throw deadline.aborted ? this.#tooSlow() : this.#translated(error);
      });
    const choice = firstChoice(given);
    if (!choice) throw this.#errors.refused("the model's server gives no answer");
    if (choice.refusal) throw this.#errors.refused('the model refuses to answer');
    if (choice.finish !== 'stop')
      throw this.#errors.refused(`the model broke off its answer: ${choice.finish}`);
    return choice.content;
  }

  #tooSlow(): Error {
    return this.#errors.unavailable(`the model did not answer within ${this.#timeoutMs} ms`);
  }

  /** Without the cause: what the client says of an error may hold what was sent, and with which key. */
  #translated(error: unknown): Error {
    const { unavailable } = this.#errors;
    if (error instanceof APIConnectionTimeoutError) return this.#tooSlow();
    if (error instanceof APIConnectionError) return unavailable('the model cannot be reached');
    if (error instanceof APIError && typeof error.status === 'number')
      return unavailable(`the model's server answers ${error.status}`);
    return unavailable("the model's server answers what its client cannot read");
  }
}

const FINISHES = ['length', 'content_filter', 'tool_calls', 'function_call'];

/** Servers are compatible to a degree: nothing of the shape is taken for granted. */
function firstChoice(
  answer: unknown,
): { content: string; refusal: boolean; finish: string } | undefined {
  const { choices } = (answer ?? {}) as { choices?: unknown };
  const [first] = (Array.isArray(choices) ? choices : []) as unknown[];
  const { message, finish_reason: finish } = (first ?? {}) as Readonly<Record<string, unknown>>;
  const { content, refusal } = (message ?? {}) as Readonly<Record<string, unknown>>;
  const refused = typeof refusal === 'string' && refusal !== '';
  if (typeof content !== 'string' && !refused) return undefined;
  return {
    content: typeof content === 'string' ? content : '',
    refusal: refused,
    finish: typeof finish === 'string' && FINISHES.includes(finish) ? finish : 'stop',
  };
}
