import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TemplatesDrafter } from '../../src/adapters/drafter/templates/templates-drafter.ts';
import { FileOutbox } from '../../src/adapters/outbox/file/file-outbox.ts';
import type { Wanted } from '../../src/abandonment/wanted.ts';
import type { CartAbandonedData, Contact } from '../../src/model/event.ts';
import { HOUR_MS } from '../../src/model/duration.ts';
import type { Recalled } from '../../src/recall/recalled.ts';
import { type RescueAgentPorts, createRescueHandler } from '../../src/rescue/agent/agent.ts';
import type { RescueOutcome } from '../../src/rescue/agent/outcome.ts';
import { VirtualClock } from '../../src/runtime/virtual-clock.ts';
import { FREE, type InHands, inHands } from '../support/announcement.ts';
import { recordingLogger } from '../support/recording-logger.ts';

const NOW = Date.parse('2026-03-01T12:30:00Z');

const NOTHING: Recalled = {
  immediate: { cart: [], state: {}, messages: [] },
  relevant: [],
  insights: [],
  tokens: 0,
  dropped: [],
};

let folder: string;
let outbox: FileOutbox;
let clock: VirtualClock;
let outcomes: RescueOutcome[];
let touches: unknown[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rekindle-agent-'));
  clock = new VirtualClock(NOW);
  outbox = await FileOutbox.open(join(folder, 'drafts.jsonl'), clock);
  outcomes = [];
  touches = [];
});

afterEach(async () => {
  await outbox.close();
  rmSync(folder, { recursive: true });
});

function written(): Record<string, unknown>[] {
  const lines = readFileSync(join(folder, 'drafts.jsonl'), 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

async function handle(hands: InHands, ports: Partial<RescueAgentPorts> = {}): Promise<void> {
  const handler = createRescueHandler(
    {
      recall: () => Promise.resolve(NOTHING),
      drafter: new TemplatesDrafter(),
      outbox,
      recordTouch: (event, touch) => Promise.resolve(touches.push({ id: event.id, ...touch })),
      clock,
      log: recordingLogger().log,
      ...ports,
    },
    { onOutcome: (outcome) => outcomes.push(outcome) },
  );
  await handler(hands.event);
}

function may(contact: Partial<Contact>): Wanted {
  return { wanted: true, contact: { ...FREE, ...contact } };
}

const YES = may({});
const NO_MORE: Wanted = { wanted: false, reason: 'ordered' };
const MORNING = '2026-03-02T08:00:00.000Z';

describe('the agent', () => {
  test('sends one message under the id of the event, and notes the touch', async () => {
    const hands = inHands({ language: 'hi-Latn', stage: 1 });
    await handle(hands);
    expect(written()).toEqual([
      expect.objectContaining({
        key: hands.event.id,
        user: 'user-1',
        channel: 'whatsapp',
        language: 'hi-en',
        text: 'Hi! Red shoes ab bhi available hai. Kuch poochna ho to bataiye.',
        template: false,
        announcement_id: hands.event.id,
        stage: 1,
        drafter: 'templates/1',
      }),
    ]);
    expect(touches).toEqual([
      { id: hands.event.id, channel: 'whatsapp', message_id: hands.event.id, at: NOW },
    ]);
    expect(outcomes).toEqual([{ did: 'sent', channel: 'whatsapp' }]);
    expect(hands.asked()).toBe(2);
  });

  test.each(['no', 'unknown'] as const)('leaves alone who is allowed: %s', async (allowed) => {
    await handle(inHands({}, [may({ allowed, basis: 'some reason' })]));
    expect(written()).toEqual([]);
    expect(touches).toEqual([]);
    expect(outcomes).toEqual([{ did: 'skipped', why: 'some reason' }]);
  });

  test('goes by what holds now, not by what was announced', async () => {
    const then: CartAbandonedData['contact'] = { ...FREE, allowed: 'no', not_before: MORNING };
    await handle(inHands({ contact: then }));
    expect(outcomes).toEqual([{ did: 'sent', channel: 'whatsapp' }]);
  });

  test('holds the event in quiet hours, and sends when they are over', async () => {
    const hands = inHands({}, [may({ not_before: MORNING })]);
    await handle(hands);
    expect(hands.deferredUntil).toEqual([MORNING]);
    expect(written()).toEqual([]);
    clock = new VirtualClock(Date.parse(MORNING));
    await handle(hands);
    expect(outcomes).toEqual([
      { did: 'deferred', why: 'quiet_hours' },
      { did: 'sent', channel: 'whatsapp' },
    ]);
  });

  test.each<[string, Wanted, RescueOutcome]>([
    ['it no longer holds', NO_MORE, { did: 'dropped', why: 'ordered' }],
    [
      'the user has opted out',
      may({ allowed: 'no', basis: 'opt_out' }),
      { did: 'skipped', why: 'opt_out' },
    ],
    ['night fell', may({ not_before: MORNING }), { did: 'deferred', why: 'quiet_hours' }],
  ])('does not send when, while it was writing, %s', async (_what, late, outcome) => {
    await handle(inHands({}, [YES, late]));
    expect(written()).toEqual([]);
    expect(touches).toEqual([]);
    expect(outcomes).toEqual([outcome]);
  });

  test('drops what no longer holds before it recalls or writes anything', async () => {
    let recalls = 0;
    const recall = (): Promise<Recalled> => {
      recalls += 1;
      return Promise.resolve(NOTHING);
    };
    await handle(inHands({}, [NO_MORE]), { recall });
    expect(recalls).toBe(0);
    expect(outcomes).toEqual([{ did: 'dropped', why: 'ordered' }]);
  });

  test('sends without memory when nothing can be recalled, and says so', async () => {
    const { log, lines } = recordingLogger();
    await handle(inHands({}), { recall: () => Promise.reject(new Error('warm is away')), log });
    expect(written()).toHaveLength(1);
    expect(lines()).toContainEqual(expect.objectContaining({ why: 'warm is away' }));
  });

  test('does not wait for a recall that hangs', async () => {
    await handle(inHands({}), { recall: () => new Promise(() => undefined) });
    expect(written()).toHaveLength(1);
  });

  test('stops at once when the event is taken from it, in the middle of a recall', async () => {
    const gone = new AbortController();
    const recall = (): Promise<Recalled> => {
      gone.abort(new Error('taken back'));
      return new Promise(() => undefined);
    };
    const handling = handle(inHands({}, [YES], gone.signal), { recall });
    await expect(handling).rejects.toThrow('taken back');
    expect(written()).toEqual([]);
  });

  test('does not send when the event was taken from it right before', async () => {
    const gone = new AbortController();
    const drafter = {
      draft: () => {
        gone.abort(new Error('taken back'));
        return Promise.resolve({ text: 'x', language: 'en', by: 'test' });
      },
    };
    const handling = handle(inHands({}, [YES], gone.signal), { drafter });
    await expect(handling).rejects.toThrow('taken back');
    expect(written()).toEqual([]);
  });

  test('uses what was learned of the user', async () => {
    const insight = {
      id: 'i1',
      kind: 'preference' as const,
      text: 'The user worries about delivery.',
      lastAt: 1,
      sources: [],
      tokens: 8,
    };
    await handle(inHands({}), {
      recall: () => Promise.resolve({ ...NOTHING, insights: [insight] }),
    });
    expect(written()[0]?.['text']).toContain('If it is about delivery');
  });

  test('that is called again after its touch could not be noted notes it, and sends nothing', async () => {
    const hands = inHands({});
    const recordTouch = (): Promise<never> => Promise.reject(new Error('Redis is away'));
    await expect(handle(hands, { recordTouch })).rejects.toThrow('Redis is away');
    clock = new VirtualClock(NOW + HOUR_MS);
    // Nothing that holds by then changes that it was sent.
    await handle(inHands({}, [NO_MORE]));
    expect(written()).toHaveLength(1);
    expect(touches).toEqual([
      { id: hands.event.id, channel: 'whatsapp', message_id: hands.event.id, at: NOW },
    ]);
    expect(outcomes).toEqual([{ did: 'noted', channel: 'whatsapp' }]);
  });

  test.each([
    ['whatsapp', new Date(NOW + 1).toISOString(), false],
    ['whatsapp', new Date(NOW).toISOString(), true],
    ['WhatsApp', null, true],
    ['email', null, false],
    ['sms', null, false],
  ])(
    'marks a message on %s whose window ends at %s as template: %s',
    async (channel, end, template) => {
      await handle(inHands({ channel }, [may({ service_window_expires_at: end })]));
      expect(written()).toEqual([expect.objectContaining({ channel, template })]);
    },
  );

  test('words a message as approved when the window closed while it was being written', async () => {
    const asked: boolean[] = [];
    const templates = new TemplatesDrafter();
    const drafter: RescueAgentPorts['drafter'] = {
      draft: (request) => {
        asked.push(request.template);
        return templates.draft(request);
      },
    };
    const open = may({ service_window_expires_at: new Date(NOW + 1).toISOString() });
    const closed = may({ service_window_expires_at: new Date(NOW).toISOString() });
    await handle(inHands({}, [open, closed]), { drafter });
    expect(asked).toEqual([false, true]);
    expect(written()).toEqual([expect.objectContaining({ template: true })]);
  });

  test('writes within the shop where a session names no channel', async () => {
    await handle(inHands({ channel: null }));
    expect(written()).toEqual([expect.objectContaining({ channel: 'web' })]);
  });

  test('fails, so that it is tried again, when nobody knows whether it is wanted', async () => {
    await expect(handle(inHands({}, []))).rejects.toThrow('no answer');
    expect(written()).toEqual([]);
  });
});
