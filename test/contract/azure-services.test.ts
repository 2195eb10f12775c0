/**
 * The adapters against the services themselves, or their official emulators, where REKINDLE_TEST_* names them: for the servers
 * of the other suites are a reading of the protocols, and this says whether it is the right one. What is made is removed.
 */
import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { connectServiceBus } from '../../src/adapters/bus/service-bus/connect.ts';
import { ServiceBusBus } from '../../src/adapters/bus/service-bus/service-bus-bus.ts';
import { BlobCold } from '../../src/adapters/cold/blob/blob-cold.ts';
import { connectContainer } from '../../src/adapters/cold/blob/connect.ts';
import { examineContainer, setUpContainer } from '../../src/adapters/cold/blob/set-up.ts';
import { connectCosmos } from '../../src/adapters/warm/cosmos/connect.ts';
import { CosmosWarm } from '../../src/adapters/warm/cosmos/cosmos-warm.ts';
import { examine, setUp } from '../../src/adapters/warm/cosmos/set-up.ts';
import { DAY_MS } from '../../src/model/duration.ts';
import { ABSENT } from '../../src/ports/warm.ts';
import { didNotRun } from '../support/did-not-run.ts';
import { silentLog } from '../support/log.ts';
import { abandonedEvent } from '../support/sample-events.ts';
import { receiveAll } from './bus.ts';
import { anEntry } from './warm.ts';

const { env } = process;
const name = `rekindle-test-${randomBytes(4).toString('hex')}`;
const clock = { now: () => Date.now() };

describe('against the services of Azure', { timeout: 120_000 }, () => {
  test('Service Bus takes, gives, puts off, puts aside and gives again', async (context) => {
    const connectionString = env['REKINDLE_TEST_SERVICEBUS_CONNECTION_STRING'];
    if (connectionString === undefined)
      return didNotRun(context, 'REKINDLE_TEST_SERVICEBUS_CONNECTION_STRING names no namespace');
    const administrationUrl = env['REKINDLE_TEST_SERVICEBUS_ADMIN_URL'];
    const connector = connectServiceBus({ connectionString, administrationUrl });
    const bus = new ServiceBusBus({ connector, place: { topic: name }, log: silentLog });
    try {
      await bus.setUp(['rescue'], { apply: true });
      expect(await bus.setUp(['rescue'], { apply: false })).toEqual([]);
      expect((await bus.examine({}, ['rescue'])).map(({ level }) => level)).not.toContain('refuse');
      const member = await bus.subscribe({ group: 'rescue' });
      const events = [abandonedEvent(1), abandonedEvent(2), abandonedEvent(3)];
      expect(await bus.publish(events)).toEqual(events.map(() => ({ durable: true })));
      const [first, second, third] = await receiveAll(member, 3);
      await first!.done();
      expect(await second!.retry(2_000)).toBe(true);
      expect(await third!.deadLetter('no such product')).toBe(true);
      const [again] = await receiveAll(member, 1);
      expect(again).toMatchObject({ attempt: 2, event: second!.event });
      await again!.done();
      const [letter] = await bus.deadLetters('rescue', 10);
      expect(letter).toMatchObject({ event: third!.event, reason: 'no such product' });
      expect(await bus.replay('rescue')).toBe(1);
      const [last] = await receiveAll(member, 1);
      expect(last).toMatchObject({ attempt: 1, event: third!.event });
      await last!.done();
    } finally {
      await connector.administration().deleteTopic(name);
      await bus.close();
    }
  });

  test('Cosmos DB keeps, finds, refuses what is stale, and erases', async (context) => {
    const endpoint = env['REKINDLE_TEST_COSMOS_ENDPOINT'];
    const key = env['REKINDLE_TEST_COSMOS_KEY'];
    if (endpoint === undefined || key === undefined)
      return didNotRun(context, 'REKINDLE_TEST_COSMOS_ENDPOINT and _KEY name no account');
    const client = connectCosmos({ endpoint, as: { key }, requestTimeoutMs: 30_000 });
    const place = { database: name, container: 'memories' };
    try {
      await setUp(client, place);
      expect((await examine(client, place)).map(({ level }) => level)).toEqual(['ok']);
      const warm = new CosmosWarm({
        container: () => client.database(name).container(place.container),
        clock,
      });
      const now = Date.now();
      const entries = ['a', 'b', 'c'].map((id, index) =>
        anEntry('ann', id, {
          timestamp: now - index,
          content: `red shoes of ${id}`,
          attributes: { topic: 'shoes', size: 40 + index },
          memoryType: 'segment',
        }),
      );
      const writes = entries.map((entry) => ({ entry, expected: ABSENT }) as const);
      const written = await warm.put('ann', writes, { together: true });
      expect(written.map(({ outcome }) => outcome)).toEqual(['written', 'written', 'written']);
      const stale = await warm.put('ann', writes.slice(0, 1));
      expect(stale.map(({ outcome }) => outcome)).toEqual(['conflict']);
      const filter = { attributes: [{ name: 'size', from: 41 }] };
      const found = await warm.find('ann', filter, 'newest', { limit: 1 });
      expect(found.items.map(({ entry }) => entry)).toEqual([entries[1]]);
      const rest = await warm.find('ann', filter, 'newest', { limit: 1, cursor: found.cursor });
      expect(rest.items.map(({ entry }) => entry)).toEqual([entries[2]]);
      expect(await warm.search('ann', 'shoes', { limit: 9 })).toHaveLength(3);
      const aged = await warm.aged('segment', now + 1, { limit: 9 });
      expect(aged.items).toEqual([{ agentId: 'ann', oldestAt: now - 2 }]);
      expect(await warm.erase('ann', now, now + DAY_MS)).toBe(3);
      const late = await warm.put('ann', writes.slice(0, 1));
      expect(late.map(({ outcome }) => outcome)).toEqual(['erased']);
      await warm.close();
    } finally {
      await client.database(name).delete();
      client.dispose();
    }
  });

  test('Blob Storage keeps once, changes under a version, and erases', async (context) => {
    const connectionString = env['REKINDLE_TEST_BLOB_CONNECTION_STRING'];
    if (connectionString === undefined)
      return didNotRun(context, 'REKINDLE_TEST_BLOB_CONNECTION_STRING names no account');
    const container = connectContainer({ connectionString }, name);
    try {
      await setUpContainer(container, { apply: true });
      const levels = (await examineContainer(container)).map(({ level }) => level);
      expect(levels).not.toContain('refuse');
      const cold = new BlobCold({ container: () => container, clock });
      const object = { name: 'c-1', text: '{"said":"जूते"}', at: Date.now() };
      expect(await cold.put('ann', 'transcripts', object)).toBe('written');
      expect(await cold.put('ann', 'transcripts', object)).toBe('stands');
      expect(await cold.get('ann', 'transcripts', 'c-1')).toBe(object.text);
      expect(await cold.names('ann', 'transcripts', { limit: 9 })).toEqual(['c-1']);
      const how = { expected: undefined, at: object.at };
      expect(await cold.putCurrent('ann', '[]', how)).toBe('written');
      expect(await cold.putCurrent('ann', '[]', how)).toBe('conflict');
      expect(await cold.erase('ann', object.at, object.at + DAY_MS)).toBe(2);
      expect(await cold.put('ann', 'transcripts', object)).toBe('erased');
      expect(await cold.count('ann')).toBe(0);
      await cold.close();
    } finally {
      await container.deleteIfExists();
    }
  });
});
