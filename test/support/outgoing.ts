import type { OutgoingMessage } from '../../src/ports/outbox.ts';

/** A message that is ready to be sent. */
export function outgoing(differing: Partial<OutgoingMessage> = {}): OutgoingMessage {
  return {
    user: 'ada',
    session_id: null,
    channel: 'whatsapp',
    language: 'en',
    text: 'Hi! We have kept Red shoes for you.',
    template: false,
    announcement_id: '0a4dcb41-9f5b-5d6a-8e0e-5d2f3c1b7a90',
    episode: '2026-03-01T11:48:10.000Z',
    stage: 0,
    valid_until: '2026-03-02T08:00:00.000Z',
    drafter: 'templates/1',
    ...differing,
  };
}
