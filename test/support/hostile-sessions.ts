/**
 * Sessions as a careless or a hostile program leaves them, and what is to come of each. They are data: whoever runs
 * them writes the keys, and says what happened.
 */
import { HOUR_MS } from '../../src/model/duration.ts';
import { hostileCarts } from './hostile-carts.ts';
import { hostileActivities, hostileConsents, hostileOthers } from './hostile-fields.ts';
import {
  CONFIDENTIAL,
  type Draft,
  type HostileSession,
  MEGABYTES_5,
  type Written,
  draftAt,
  validFields,
} from './hostile-session.ts';
import { HOSTILE_USER_IDS, IMPOSSIBLE_USER_IDS } from './hostile-user-ids.ts';

/** All of them as they would be written at `now`; each user has one name, and each name one user. */
export function hostileSessions(now: number): HostileSession[] {
  const draft = draftAt(now);
  const { valid } = draft;
  return [
    ...hostileActivities(draft),
    ...hostileCarts(draft),
    ...hostileConsents(draft),
    ...hostileOthers(draft),
    ...keyTypes(draft),
    ...damages(draft),
    ...HOSTILE_USER_IDS.map((user) => ({ ...valid(`the id ${JSON.stringify(user)}`, {}), user })),
    // Those that a terminal would obey are shown in quarantine as well.
    ...HOSTILE_USER_IDS.filter((user) => /[\p{C}\p{Z}]/u.test(user)).map((id) => {
      const user = `broken ${id}`;
      const fields = { last_activity: 'yesterday' };
      return {
        ...valid(`the id ${JSON.stringify(user)}`, fields, {
          expected: 'quarantined: last_activity_invalid',
        }),
        user,
      };
    }),
    ...IMPOSSIBLE_USER_IDS.map(([user, reason], index) => ({
      ...valid(`an impossible id, ${index}`, {}, { expected: `quarantined: ${reason}` }),
      user,
    })),
  ];
}

function keyTypes({ now, valid }: Draft): HostileSession[] {
  const wrong = (name: string, session: Written): HostileSession => ({
    name,
    user: name,
    session,
    expected: 'quarantined: wrong_key_type',
  });
  const owner = 'messages of the wrong type';
  return [
    wrong('a session that is a string', { string: JSON.stringify(validFields('x', now)) }),
    wrong('a session that is a list', { list: ['x'] }),
    wrong('a session that is a set', { set: 'x' }),
    wrong('a session that is a sorted set', { zset: 'x' }),
    wrong('a session that is a stream', { stream: 'x' }),
    // Neither a list nor a text: then it is no messages, but a broken session of somebody called so.
    valid(owner, {}),
    wrong(`${owner}:messages`, { zset: 'x' }),
    valid(
      'messages that are no JSON',
      {},
      { messages: { string: `{"role":"user","content":"${CONFIDENTIAL}` } },
    ),
    valid(
      'messages that are one text',
      {},
      { messages: { string: `[{"role":"user","content":"${CONFIDENTIAL}"}]` } },
    ),
    valid('messages of 5 MB', {}, { messages: { list: [CONFIDENTIAL + MEGABYTES_5] } }),
    valid(
      'a million messages',
      {},
      { messages: { list: ['{"role":"user","content":"x"}'], times: 1_000_000 }, ttlMs: HOUR_MS },
    ),
    valid('a TTL of a millisecond', {}, { ttlMs: 1, expected: 'nothing' }),
    valid('a TTL of three hundred thousand years', {}, { ttlMs: 9_000_000_000_000_000 }),
  ];
}

/** What somebody wrote under keys of ours. Their form is nobody's business here: none of this can be it. */
function damages({ valid }: Draft): HostileSession[] {
  const ledger = (what: string, written: Written): HostileSession =>
    valid(
      `a ledger that is ${what}`,
      {},
      { ledger: written, expected: 'quarantined: ledger_unreadable' },
    );
  const optout = (what: string, text: string): HostileSession =>
    valid(`an opt-out that is ${what}`, {}, { optout: text, expected: 'nothing' });
  return [
    ledger('a list', { list: ['x'] }),
    ledger('a hash', { hash: [['x', 'y']] }),
    ledger('a sorted set', { zset: 'x' }),
    ledger('empty', { string: '' }),
    ledger('a word', { string: 'hello' }),
    ledger('JSON that was cut off', { string: '00000001+[1800000000000,{"a":' }),
    ledger('bytes', { string: Buffer.from(Array.from({ length: 256 }, (_none, byte) => byte)) }),
    ledger('5 MB', { string: MEGABYTES_5 }),
    optout('a word', 'yesterday'),
    optout('empty', ''),
  ];
}
