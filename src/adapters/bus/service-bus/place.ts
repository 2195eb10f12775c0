import { UsageError } from '../../../model/errors.ts';

/** Where events are put: a topic, of which each subscription is a consumer group; or a queue, which is one group. */
export type Place =
  | { readonly topic: string }
  | {
      readonly queue: string;
      /** What its one group is called where groups are listed. Default: as the queue. */
      readonly group?: string;
    };

/** What a subscription may be called. */
const SUBSCRIPTION_NAME = /^[a-z0-9](?:[a-z0-9._-]{0,48}[a-z0-9])?$/i;

/** What a command for set-up is called in messages. */
const SET_UP = 'rekindle setup --apply';

/** Queue or topic. */
export function nameOf(place: Place): string {
  return 'topic' in place ? place.topic : place.queue;
}

/** What is received from for a group: topic and subscription, or the queue. */
export function pathOf(place: Place, group: string): readonly [string, string?] {
  return 'topic' in place ? [place.topic, group] : [place.queue];
}

/** In words, for messages. */
export function describePlace(place: Place, group?: string): string {
  if ('queue' in place) return `queue "${place.queue}"`;
  return group === undefined
    ? `topic "${place.topic}"`
    : `subscription "${group}" of topic "${place.topic}"`;
}

/** What is not there, and how it comes to be. */
export function missingPlace(place: Place, group?: string): string {
  return `there is no ${describePlace(place, group)}: \`${SET_UP}\` makes it`;
}

/** @throws UsageError for a name that no subscription can have */
export function checkGroup(place: Place, group: string): void {
  if (group === '') throw new UsageError('a consumer group needs a name');
  if ('topic' in place && !SUBSCRIPTION_NAME.test(group))
    throw new UsageError(
      `a consumer group on Service Bus has 1 to 50 letters, digits, ".", "-" and "_" in its name, the first and the last a letter or a digit; got "${group}"`,
    );
}
