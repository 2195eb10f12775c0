/** A server on loopback that speaks the part of OpenAI's protocol that summaries need, and answers as a test tells it. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface AskedOfModel {
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly model: string;
  /** What stands in the user's message. */
  readonly question: string;
  readonly schema: unknown;
}

/** `content` is what the model says; `raw` a whole body; `status` an error; `hang` and `stall` never end. */
export type ModelReply =
  | { readonly content: string; readonly finish?: string }
  | { readonly refusal: string }
  | { readonly raw: string }
  | { readonly status: number }
  | { readonly hang: true }
  /** Headers and half a body, and nothing more. */
  | { readonly stall: string };

export interface OpenAiServer extends AsyncDisposable {
  readonly url: string;
  readonly asked: readonly AskedOfModel[];
}

/** @param reply what is answered to the n-th request, from 0 */
export async function startOpenAiServer(
  reply: (asked: AskedOfModel, n: number) => ModelReply,
): Promise<OpenAiServer> {
  const asked: AskedOfModel[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const {
        model,
        messages,
        response_format: format,
      } = JSON.parse(body) as {
        model: string;
        messages: { role: string; content: string }[];
        response_format: { json_schema: { schema: unknown } };
      };
      const one: AskedOfModel = {
        path: request.url ?? '',
        headers: request.headers,
        model,
        question: messages.find(({ role }) => role === 'user')?.content ?? '',
        schema: format.json_schema.schema,
      };
      asked.push(one);
      const given = reply(one, asked.length - 1);
      if ('hang' in given) return;
      const status = 'status' in given ? given.status : 200;
      response.writeHead(status, { 'content-type': 'application/json', 'retry-after-ms': '1' });
      if ('stall' in given) response.write(given.stall);
      else response.end(bodyOf(given, one));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function bodyOf(given: ModelReply, { model, question }: AskedOfModel): string {
  if ('raw' in given) return given.raw;
  // Errors of real servers repeat what they were sent.
  if ('status' in given) return JSON.stringify({ error: { message: `no: ${question}` } });
  const message =
    'refusal' in given
      ? { role: 'assistant', content: null, refusal: given.refusal }
      : { role: 'assistant', content: 'content' in given ? given.content : '', refusal: null };
  const finish = 'finish' in given ? given.finish : 'stop';
  const choices = [{ index: 0, message, finish_reason: finish }];
  return JSON.stringify({ id: 'c1', object: 'chat.completion', created: 1, model, choices });
}
