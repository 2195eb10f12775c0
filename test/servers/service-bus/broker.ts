import type { Message } from 'rhea';
import { Entity, type EntitySettings } from './entity.ts';
import { Inlet } from './inlet.ts';
import { parseSqlFilter } from './sql-filter.ts';
import { propertiesOf } from './stored-message.ts';

export interface Queue {
  readonly kind: 'queue';
  readonly name: string;
  readonly inlet: Inlet;
  readonly entity: Entity;
  userMetadata: string;
}

export interface Rule {
  readonly name: string;
  /** Undefined: a correlation filter, which lets by what equals it in all that it names. */
  readonly sqlExpression: string | undefined;
  readonly matches: (message: Message) => boolean;
}

export interface BrokerSubscription {
  readonly kind: 'subscription';
  readonly name: string;
  readonly entity: Entity;
  readonly rules: Map<string, Rule>;
  userMetadata: string;
}

export interface Topic {
  readonly kind: 'topic';
  readonly name: string;
  readonly inlet: Inlet;
  readonly subscriptions: Map<string, BrokerSubscription>;
  userMetadata: string;
}

export interface QueueOptions extends Partial<EntitySettings> {
  readonly duplicateWindowMs?: number;
}

export function sqlRule(name: string, sqlExpression: string): Rule {
  const filter = parseSqlFilter(sqlExpression);
  return { name, sqlExpression, matches: (message) => filter(propertiesOf(message)) };
}

const EVERYTHING = sqlRule('$Default', '1=1');

/** Everything that the service keeps; outlives its connections. */
export class Broker {
  readonly queues = new Map<string, Queue>();
  readonly topics = new Map<string, Topic>();

  addQueue(name: string, { duplicateWindowMs = 0, ...settings }: QueueOptions = {}): Queue {
    const entity = new Entity(name, settings);
    const inlet = new Inlet((message) => entity.enqueue(message), duplicateWindowMs);
    const queue: Queue = { kind: 'queue', name, inlet, entity, userMetadata: '' };
    this.queues.set(keyOf(name), queue);
    return queue;
  }

  addTopic(name: string, { duplicateWindowMs = 0 }: { duplicateWindowMs?: number } = {}): Topic {
    const subscriptions = new Map<string, BrokerSubscription>();
    const inlet = new Inlet((message) => {
      for (const { rules, entity } of subscriptions.values())
        if ([...rules.values()].some((rule) => rule.matches(message))) entity.enqueue(message);
    }, duplicateWindowMs);
    const topic: Topic = { kind: 'topic', name, inlet, subscriptions, userMetadata: '' };
    this.topics.set(keyOf(name), topic);
    return topic;
  }

  addSubscription(
    topic: Topic,
    name: string,
    settings: Partial<EntitySettings> = {},
    rule: Rule = EVERYTHING,
  ): BrokerSubscription {
    const entity = new Entity(`${topic.name}/Subscriptions/${name}`, settings);
    const rules = new Map([[keyOf(rule.name), rule]]);
    const subscription: BrokerSubscription = {
      kind: 'subscription',
      name,
      entity,
      rules,
      userMetadata: '',
    };
    topic.subscriptions.set(keyOf(name), subscription);
    return subscription;
  }

  /** Where messages for this address go. */
  inlet(address: string): Inlet | undefined {
    const key = keyOf(address);
    return (this.queues.get(key) ?? this.topics.get(key))?.inlet;
  }

  /** What is received from at this address. */
  entity(address: string): Entity | undefined {
    const [, base = '', dead] = /^(.*?)(\/[$]deadletterqueue)?$/.exec(keyOf(address)) ?? [];
    const entity = this.queues.get(base)?.entity ?? this.subscription(base)?.entity;
    return dead === undefined ? entity : entity?.deadLetters;
  }

  subscription(address: string): BrokerSubscription | undefined {
    const [, topic, name] = /^(.*)\/subscriptions\/([^/]*)$/.exec(keyOf(address)) ?? [];
    if (topic === undefined || name === undefined) return undefined;
    return this.topics.get(topic)?.subscriptions.get(name);
  }

  /** All that is received from. */
  *entities(): Generator<Entity> {
    for (const { entity } of this.queues.values()) yield entity;
    for (const { subscriptions } of this.topics.values())
      for (const { entity } of subscriptions.values()) yield entity;
  }

  /** Forgets everything. */
  clear(): void {
    for (const entity of this.entities()) entity.stop();
    for (const { inlet } of [...this.queues.values(), ...this.topics.values()]) inlet.stop();
    this.queues.clear();
    this.topics.clear();
  }
}

/** Names are the same in capitals. */
export function keyOf(name: string): string {
  return name.toLowerCase();
}
