import { beforeEach, describe, expect, it } from 'vitest';
import type { Arrival, Begun, Hold, Inbox, Outcome } from '../../src/ports/inbox.ts';
import { didNotRun } from '../support/did-not-run.ts';

/** An inbox with nothing in it, and what can be done to it. */
export interface InboxUnderTest {
  readonly inbox: Inbox;
  /** Notes that a user was erased then. */
  readonly erase: (user: string, at: number) => Promise<void>;
  /** Lets time pass by which the inbox forgets. */
  readonly pass: (ms: number) => Promise<void>;
  /** Puts something where the subject's record stands; undefined: nobody else can write there. */
  readonly spoil?: (subject: string) => Promise<void>;
}

/** Retention of the inbox under test. */
export const RETENTION_MS = 600;

const NOW = 1_800_000_000_000;
const HOLD_MS = 30_000;
const GROUP = 'rescue';

const ONE = 'member-one';
const OTHER = 'member-other';

/** The n-th event of a subject. */
function arrival(n: number, of: Partial<Arrival> = {}): Arrival {
  return {
    subject: 'ada',
    source: '/shop',
    id: `id-${n}`,
    sequence: String(n).padStart(16, '0'),
    at: NOW - 1_000 + n,
    user: 'ada',
    ...of,
  };
}

function hold(token = ONE, now = NOW): Hold {
  return { now, holdMs: HOLD_MS, token };
}

/** What every adapter of the inbox port keeps. */
export function inboxContract(name: string, open: () => InboxUnderTest): void {
  describe(`${name} keeps the contract of an inbox`, () => {
    let under: InboxUnderTest;
    let inbox: Inbox;

    beforeEach(() => {
      under = open();
      inbox = under.inbox;
    });

    const begin = async (one: Arrival, by = hold(), group = GROUP): Promise<Begun> =>
      (await inbox.begin(group, [one], by))[0]!;
    const end = async (one: Arrival, outcome: Outcome, by = ONE, group = GROUP): Promise<boolean> =>
      (await inbox.end(group, [{ ...one, outcome }], by))[0]!;
    const renew = async (one: Arrival, by = hold()): Promise<boolean> =>
      (await inbox.renew(GROUP, [one], by))[0]!;

    describe('begin', () => {
      it('gives an event that nobody had', async () => {
        expect(await begin(arrival(1))).toBe('new');
      });

      it('tells a repeat of what took effect, whoever asks', async () => {
        await begin(arrival(1));
        expect(await end(arrival(1), 'done')).toBe(true);
        expect(await begin(arrival(1))).toBe('repeat');
        expect(await begin(arrival(1), hold(OTHER))).toBe('repeat');
      });

      it('tells what was overtaken, whether the later one took effect or not', async () => {
        await begin(arrival(5));
        expect(await begin(arrival(4))).toBe('overtaken');
        await end(arrival(5), 'free');
        expect(await begin(arrival(4))).toBe('overtaken');
        await begin(arrival(5));
        await end(arrival(5), 'done');
        expect(await begin(arrival(4))).toBe('overtaken');
      });

      it('takes two events of one sequence for one place: the second comes too late', async () => {
        await begin(arrival(1));
        await end(arrival(1), 'done');
        expect(await begin(arrival(1, { id: 'twin' }))).toBe('overtaken');
      });

      it('moves on to a later event, which overtakes the one that was given back', async () => {
        await begin(arrival(1));
        await end(arrival(1), 'free');
        expect(await begin(arrival(2))).toBe('new');
        await end(arrival(2), 'done');
        expect(await begin(arrival(1))).toBe('overtaken');
      });

      it('remembers the last 32 that took effect', async () => {
        for (let n = 1; n <= 33; n += 1) {
          expect(await begin(arrival(n))).toBe('new');
          await end(arrival(n), 'done');
        }
        expect(await begin(arrival(1))).toBe('overtaken');
        for (let n = 2; n <= 33; n += 1) expect(await begin(arrival(n))).toBe('repeat');
      });

      it('takes a fact whatever was begun before, once', async () => {
        await begin(arrival(5));
        await end(arrival(5), 'done');
        expect(await begin(arrival(4, { fact: true }))).toBe('new');
        expect(await begin(arrival(4, { fact: true }), hold(OTHER))).toBe('busy');
        await end(arrival(4), 'done');
        expect(await begin(arrival(3, { fact: true }))).toBe('new');
        await end(arrival(3), 'done');
        expect(await begin(arrival(4, { fact: true }))).toBe('repeat');
        expect(await begin(arrival(5))).toBe('repeat');
      });

      it('lets no fact overtake a call to act, nor make one forget that it was tried', async () => {
        await begin(arrival(1));
        await end(arrival(1), 'failed');
        expect(await begin(arrival(9, { fact: true }))).toBe('new');
        await end(arrival(9), 'failed');
        expect(await begin(arrival(1))).toBe('again');
        await end(arrival(1), 'done');
        expect(await begin(arrival(2))).toBe('new');
        await end(arrival(2), 'done');
        expect(await begin(arrival(9, { fact: true }))).toBe('again');
        await end(arrival(9), 'done');
        expect(await begin(arrival(1))).toBe('repeat');
        expect(await begin(arrival(9, { fact: true }))).toBe('repeat');
      });

      it('knows of a fact that its member never ended that it may have taken effect', async () => {
        await begin(arrival(1, { fact: true }));
        const late = hold(OTHER, NOW + HOLD_MS);
        expect(await begin(arrival(2), late)).toBe('new');
        expect(await end(arrival(2), 'done', OTHER)).toBe(true);
        expect(await begin(arrival(1, { fact: true }), late)).toBe('again');
      });

      it('keeps what was overtaken and never took effect apart from repeats', async () => {
        await begin(arrival(1));
        await end(arrival(1), 'done');
        await begin(arrival(2));
        await end(arrival(2), 'failed');
        await begin(arrival(3));
        await end(arrival(3), 'done');
        expect(await begin(arrival(1))).toBe('repeat');
        expect(await begin(arrival(2))).toBe('overtaken');
      });

      it('is busy while somebody has the event or another of its subject, and moves nothing', async () => {
        await begin(arrival(1));
        expect(await begin(arrival(1), hold(OTHER))).toBe('busy');
        expect(await begin(arrival(2), hold(OTHER))).toBe('busy');
        expect(await begin(arrival(2))).toBe('busy');
        expect(await end(arrival(1), 'done')).toBe(true);
        expect(await begin(arrival(2), hold(OTHER))).toBe('new');
      });

      it('tells what was given back untouched from what may have taken effect', async () => {
        await begin(arrival(1));
        await end(arrival(1), 'free');
        expect(await begin(arrival(1), hold(OTHER))).toBe('new');
        await end(arrival(1), 'failed', OTHER);
        expect(await begin(arrival(1))).toBe('again');
        await end(arrival(1), 'free');
        expect(await begin(arrival(1))).toBe('again');
      });

      it('knows nothing of one event from what became of an earlier one', async () => {
        await begin(arrival(1));
        await end(arrival(1), 'failed');
        expect(await begin(arrival(2))).toBe('new');
      });

      it('refuses what is from before the erasure, and remembers nothing of it', async () => {
        await under.erase('ada', NOW);
        expect(await begin(arrival(1, { at: NOW - 1 }))).toBe('erased');
        expect(await begin(arrival(2, { at: NOW }))).toBe('erased');
        expect(await begin(arrival(1, { at: NaN }))).toBe('erased');
        expect(await begin(arrival(1, { at: NOW + 1 }))).toBe('new');
        expect(await begin(arrival(1, { at: NOW - 1, user: 'bob', subject: 'bob' }))).toBe('new');
        expect(await begin(arrival(1, { at: NOW, user: undefined, subject: 'x' }))).toBe('new');
      });
    });

    describe('a member that is gone', () => {
      it('loses what it had when its time is up, not before', async () => {
        await begin(arrival(1));
        const last = NOW + HOLD_MS - 1;
        expect(await begin(arrival(1), hold(OTHER, last))).toBe('busy');
        expect(await begin(arrival(1), hold(OTHER, NOW + HOLD_MS))).toBe('again');
        expect(await end(arrival(1), 'done')).toBe(false);
        expect(await renew(arrival(1), hold(ONE, NOW + HOLD_MS))).toBe(false);
        expect(await end(arrival(1), 'done', OTHER)).toBe(true);
      });

      it('may itself take it again', async () => {
        await begin(arrival(1));
        expect(await begin(arrival(1), hold(ONE, NOW + HOLD_MS))).toBe('again');
      });

      it('is overtaken by a later event', async () => {
        await begin(arrival(1));
        expect(await begin(arrival(2), hold(OTHER, NOW + HOLD_MS))).toBe('new');
        expect(await end(arrival(1), 'done')).toBe(false);
        expect(await begin(arrival(1), hold(OTHER, NOW + HOLD_MS))).toBe('overtaken');
      });

      it('that comes back in time still has it, if nobody began it', async () => {
        await begin(arrival(1));
        const late = NOW + 2 * HOLD_MS;
        expect(await renew(arrival(1), hold(ONE, late))).toBe(true);
        expect(await begin(arrival(1), hold(OTHER, late + 1))).toBe('busy');
        expect(await end(arrival(1), 'done')).toBe(true);
      });
    });

    describe('renew and end', () => {
      it('hold an event for longer', async () => {
        await begin(arrival(1));
        expect(await renew(arrival(1), hold(ONE, NOW + HOLD_MS / 2))).toBe(true);
        expect(await begin(arrival(1), hold(OTHER, NOW + HOLD_MS))).toBe('busy');
        expect(await begin(arrival(1), hold(OTHER, NOW + 1.5 * HOLD_MS))).toBe('again');
      });

      it('know nothing of what was never begun, ended, or is another event', async () => {
        expect(await end(arrival(1), 'done')).toBe(false);
        expect(await renew(arrival(1))).toBe(false);
        await begin(arrival(1));
        expect(await end(arrival(2), 'done')).toBe(false);
        expect(await renew(arrival(2))).toBe(false);
        expect(await end(arrival(1), 'done')).toBe(true);
        expect(await end(arrival(1), 'failed')).toBe(false);
        expect(await renew(arrival(1))).toBe(false);
        expect(await begin(arrival(1))).toBe('repeat');
      });
    });

    it('keeps groups apart, however they are called', async () => {
      const names = ['rescue', 'rescue/shop', 'r', '', 'Zürich: 3', '2:ab'];
      for (const group of names) expect(await begin(arrival(1), hold(), group)).toBe('new');
      expect(await end(arrival(1), 'done', ONE, 'r')).toBe(true);
      expect(await begin(arrival(1), hold(), 'r')).toBe('repeat');
      expect(await begin(arrival(1), hold(OTHER), 'rescue')).toBe('busy');
      // A group and a source never read as another pair.
      expect(await begin(arrival(1, { source: 'bc' }), hold(), 'a')).toBe('new');
      expect(await begin(arrival(1, { source: 'c' }), hold(), 'ab')).toBe('new');
    });

    it('keeps sources of one subject apart', async () => {
      await begin(arrival(9));
      expect(await begin(arrival(1, { source: '/other' }))).toBe('new');
      await end(arrival(1, { source: '/other' }), 'done');
      expect(await begin(arrival(1, { source: '/other' }))).toBe('repeat');
      expect(await begin(arrival(1))).toBe('overtaken');
    });

    it('keeps subjects apart, whatever they are made of', async () => {
      const subjects = [
        'ada',
        'ada/s1',
        'ada/s2',
        encodeURIComponent('zoë 🛒 \n:*'),
        encodeURIComponent('🛒'.repeat(128)),
        'zoë 🛒',
        ' ',
        '{tag}',
      ];
      const all = subjects.map((subject) => arrival(1, { subject }));
      expect(await inbox.begin(GROUP, all, hold())).toEqual(all.map(() => 'new'));
      const ended = all.map((one) => ({ ...one, outcome: 'done' as const }));
      expect(await inbox.end(GROUP, ended, ONE)).toEqual(all.map(() => true));
      expect(await inbox.begin(GROUP, all, hold())).toEqual(all.map(() => 'repeat'));
    });

    it('takes ids and sequences of others for texts', async () => {
      const odd = arrival(1, { id: 'a;b\n"c\u0000🛒, \ud800', sequence: 'not a number' });
      expect(await begin(odd)).toBe('new');
      expect(await end(odd, 'done')).toBe(true);
      expect(await begin(odd)).toBe('repeat');
    });

    it('answers each of a batch, in its order', async () => {
      await begin(arrival(5, { subject: 'later' }));
      await begin(arrival(1, { subject: 'done' }));
      await end(arrival(1, { subject: 'done' }), 'done');
      await under.erase('gone', NOW);
      const batch = [
        arrival(1, { subject: 'fresh' }),
        arrival(1, { subject: 'later' }),
        arrival(1, { subject: 'done' }),
        arrival(1, { subject: 'gone', user: 'gone' }),
        arrival(2, { subject: 'fresh' }),
        arrival(6, { subject: 'later' }),
      ];
      expect(await inbox.begin(GROUP, batch, hold(OTHER))).toEqual([
        'new',
        'overtaken',
        'repeat',
        'erased',
        'busy',
        'busy',
      ]);
      const held = [batch[0]!, batch[1]!];
      expect(await inbox.renew(GROUP, held, hold(OTHER))).toEqual([true, false]);
      const ended = held.map((one) => ({ ...one, outcome: 'done' as const }));
      expect(await inbox.end(GROUP, ended, OTHER)).toEqual([true, false]);
    });

    it('takes nothing, and much', async () => {
      expect(await inbox.begin(GROUP, [], hold())).toEqual([]);
      expect(await inbox.end(GROUP, [], ONE)).toEqual([]);
      expect(await inbox.renew(GROUP, [], hold())).toEqual([]);
      const many = Array.from({ length: 3_000 }, (_, n) => arrival(1, { subject: `user-${n}` }));
      expect(new Set(await inbox.begin(GROUP, many, hold()))).toEqual(new Set(['new']));
      expect(new Set(await inbox.renew(GROUP, many, hold()))).toEqual(new Set([true]));
    });

    it('forgets a subject once nothing was heard of it for its retention', async () => {
      await begin(arrival(1));
      await end(arrival(1), 'done');
      await begin(arrival(1, { subject: 'bob' }));
      await under.pass(RETENTION_MS * 0.7);
      expect(await begin(arrival(1))).toBe('repeat');
      expect(await renew(arrival(1, { subject: 'bob' }))).toBe(true);
      await under.pass(RETENTION_MS * 0.7);
      // What only was asked after is no news of the subject.
      expect(await begin(arrival(1))).toBe('new');
      expect(await begin(arrival(2, { subject: 'bob' }))).toBe('busy');
    });

    it('lets one spoilt record harm no other', async (context) => {
      if (!under.spoil) return didNotRun(context, 'nobody else can write to this inbox');
      await under.spoil('spoilt');
      const batch = ['before', 'spoilt', 'behind'].map((subject) => arrival(1, { subject }));
      expect(await inbox.begin(GROUP, batch, hold())).toEqual(['new', 'unreadable', 'new']);
      expect(await inbox.renew(GROUP, batch, hold())).toEqual([true, false, true]);
      const ended = batch.map((one) => ({ ...one, outcome: 'done' as const }));
      expect(await inbox.end(GROUP, ended, ONE)).toEqual([true, false, true]);
    });
  });
}
