import { once } from 'node:events';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import {
  durationOf,
  entryOf,
  errorXml,
  feedOf,
  queueXml,
  ruleXml,
  subscriptionXml,
  textOf,
  topicXml,
} from './atom.ts';
import { type Broker, type Topic, keyOf, sqlRule } from './broker.ts';
import type { EntitySettings } from './entity.ts';

interface Answer {
  readonly status: number;
  readonly xml?: string;
}

/**
 * The service's administration over HTTP, without TLS: reads, makes, changes and removes queues, topics, subscriptions and
 * rules. Its users need the right to manage; `forbidden` takes it from them.
 */
export class Administration {
  /** Nobody may manage. */
  forbidden = false;
  readonly #broker: Broker;
  #server: Server | undefined;

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /** @returns the port */
  async listen(port: number): Promise<number> {
    const server = createServer((request, response) => {
      void this.#serve(request, response);
    });
    this.#server = server;
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    const path = decodeURIComponent(url.pathname).split('/').filter(Boolean);
    const body = await text(request);
    const isUpdate = request.headers['if-match'] === '*';
    let answer: Answer;
    try {
      answer = this.forbidden
        ? { status: 401, xml: errorXml(401, 'Manage claim is required for this operation.') }
        : this.#answer(request.method ?? 'GET', path, body, isUpdate);
    } catch (error) {
      answer = { status: 400, xml: errorXml(400, String(error)) };
    }
    // A feed of which there is more would say so; ours are whole, and nobody asks for the rest.
    const rest = url.searchParams.has('$skip') && Number(url.searchParams.get('$skip')) > 0;
    response
      .writeHead(answer.status, { 'content-type': 'application/atom+xml;charset=utf-8' })
      .end(rest ? feedOf([]) : answer.xml);
  }

  #answer(method: string, path: readonly string[], body: string, isUpdate: boolean): Answer {
    const [first = '', second = '', name = '', fourth = '', rule = ''] = path;
    if (first === '$Resources') return this.#list(second);
    if (/^subscriptions$/i.test(second)) {
      const topic = this.#broker.topics.get(keyOf(first));
      if (!topic) return missing(first);
      if (name === '')
        return found(
          feedOf(
            [...topic.subscriptions.values()].map((one) =>
              entryOf(idOf(topic, one.name), subscriptionXml(one)),
            ),
          ),
        );
      return /^rules$/i.test(fourth)
        ? this.#rules(method, topic, name, rule, body)
        : this.#subscription(method, topic, name, body, isUpdate);
    }
    return this.#queueOrTopic(method, path.join('/'), body, isUpdate);
  }

  #list(kind: string): Answer {
    const { queues, topics } = this.#broker;
    const entries = /queues/i.test(kind)
      ? [...queues.values()].map((one) => entryOf(urlOf(one.name), queueXml(one)))
      : [...topics.values()].map((one) => entryOf(urlOf(one.name), topicXml(one)));
    return found(feedOf(entries));
  }

  #queueOrTopic(method: string, name: string, body: string, isUpdate: boolean): Answer {
    const { queues, topics } = this.#broker;
    const key = keyOf(name);
    const queue = queues.get(key);
    const topic = topics.get(key);
    if (method === 'DELETE') {
      if (!queue && !topic) return missing(name);
      queues.delete(key);
      topics.delete(key);
      return { status: 200 };
    }
    if (method === 'PUT' && !isUpdate) {
      if (queue ?? topic) return conflict(name);
      const duplicateWindowMs =
        textOf(body, 'RequiresDuplicateDetection') === 'true'
          ? (durationOf(body, 'DuplicateDetectionHistoryTimeWindow') ?? 600_000)
          : 0;
      const isQueue = body.includes('<QueueDescription');
      if (isQueue) this.#broker.addQueue(name, { duplicateWindowMs, ...settingsOf(body) });
      else this.#broker.addTopic(name, { duplicateWindowMs });
      return { ...this.#queueOrTopic('GET', name, '', false), status: 201 };
    }
    const changed = queue ?? topic;
    if (method === 'PUT' && changed) {
      const windowMs = durationOf(body, 'DuplicateDetectionHistoryTimeWindow');
      if (windowMs !== undefined && changed.inlet.duplicateWindowMs > 0)
        changed.inlet.duplicateWindowMs = windowMs;
      if (queue) Object.assign(queue.entity.settings, settingsOf(body));
    }
    if (queue) return found(entryOf(urlOf(queue.name), queueXml(queue)));
    if (topic) return found(entryOf(urlOf(topic.name), topicXml(topic)));
    // As the service does: a feed without entries.
    return found(feedOf([]));
  }

  #subscription(
    method: string,
    topic: Topic,
    name: string,
    body: string,
    isUpdate: boolean,
  ): Answer {
    const known = topic.subscriptions.get(keyOf(name));
    if (method === 'DELETE') {
      known?.entity.stop();
      return topic.subscriptions.delete(keyOf(name)) ? { status: 200 } : missing(name);
    }
    if (method === 'PUT' && !isUpdate) {
      if (known) return conflict(name);
      const rule = textOf(body, 'SqlExpression');
      const made = this.#broker.addSubscription(
        topic,
        name,
        settingsOf(body),
        rule === undefined ? undefined : sqlRule(textOf(body, 'Name') ?? '$Default', rule),
      );
      made.userMetadata = textOf(body, 'UserMetadata') ?? '';
      return { status: 201, xml: entryOf(idOf(topic, name), subscriptionXml(made)) };
    }
    if (!known) return missing(name);
    if (method === 'PUT') Object.assign(known.entity.settings, settingsOf(body));
    return found(entryOf(idOf(topic, known.name), subscriptionXml(known)));
  }

  #rules(method: string, topic: Topic, subscription: string, name: string, body: string): Answer {
    const rules = topic.subscriptions.get(keyOf(subscription))?.rules;
    if (!rules) return missing(subscription);
    const id = (rule: string): string => `${idOf(topic, subscription)}/Rules/${rule}`;
    if (name === '')
      return found(
        feedOf([...rules.values()].map((rule) => entryOf(id(rule.name), ruleXml(rule)))),
      );
    const known = rules.get(keyOf(name));
    if (method === 'DELETE') return rules.delete(keyOf(name)) ? { status: 200 } : missing(name);
    if (method === 'PUT') {
      if (known) return conflict(name);
      const rule = sqlRule(name, textOf(body, 'SqlExpression') ?? '1=1');
      rules.set(keyOf(name), rule);
      return { status: 201, xml: entryOf(id(name), ruleXml(rule)) };
    }
    return known ? found(entryOf(id(known.name), ruleXml(known))) : missing(name);
  }
}

function settingsOf(body: string): Partial<EntitySettings> {
  const lockMs = durationOf(body, 'LockDuration');
  const ttlMs = durationOf(body, 'DefaultMessageTimeToLive');
  const count = textOf(body, 'MaxDeliveryCount');
  const sessions = textOf(body, 'RequiresSession');
  const buries = textOf(body, 'DeadLetteringOnMessageExpiration');
  return {
    ...(lockMs !== undefined && { lockMs }),
    ...(ttlMs !== undefined && { ttlMs }),
    ...(count !== undefined && { maxDeliveryCount: Number(count) }),
    ...(sessions !== undefined && { sessions: sessions === 'true' }),
    ...(buries !== undefined && { deadLetterOnExpiry: buries === 'true' }),
  };
}

function urlOf(path: string): string {
  return `https://127.0.0.1/${path}`;
}

function idOf(topic: Topic, subscription: string): string {
  return urlOf(`${topic.name}/Subscriptions/${subscription}`);
}

function found(xml: string): Answer {
  return { status: 200, xml };
}

function missing(name: string): Answer {
  return { status: 404, xml: errorXml(404, `The messaging entity '${name}' could not be found.`) };
}

function conflict(name: string): Answer {
  return { status: 409, xml: errorXml(409, `The entity '${name}' already exists.`) };
}
