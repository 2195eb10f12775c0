/** The steps of an event's way through a subscriber, by what is called. */
const STEPS = ['inbox.begin', 'wanted', 'handler', 'inbox.end', 'delivery.done'] as const;

/** One side of a step, or the moment at which events were received and nothing else is done yet. */
export interface SubscriberBoundary {
  readonly when: 'before' | 'after';
  readonly step: (typeof STEPS)[number] | 'receive';
}

/** Where a subscriber's process is killed: at a boundary, the n-th time that it comes there. */
export interface SubscriberKillPoint extends SubscriberBoundary {
  readonly nth: number;
}

/** Both sides of every step. Before it receives anything a subscriber has nothing in hand. */
export const SUBSCRIBER_BOUNDARIES: readonly SubscriberBoundary[] = [
  { when: 'after', step: 'receive' },
  ...STEPS.flatMap((step): SubscriberBoundary[] => [
    { when: 'before', step },
    { when: 'after', step },
  ]),
];
