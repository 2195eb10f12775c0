import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { connectServiceBus } from '../../src/adapters/bus/service-bus/connect.ts';
import type { ServiceBusConnector } from '../../src/adapters/bus/service-bus/connect.ts';
import { ServiceBusBus } from '../../src/adapters/bus/service-bus/service-bus-bus.ts';
import type { ServiceBusBusOptions } from '../../src/adapters/bus/service-bus/service-bus-bus.ts';
import { ServiceBusServer } from '../servers/service-bus/service-bus-server.ts';
import { silentLog } from './log.ts';

/** How long the SDK may take to let go of its connections. */
const LINGER_MS = 3_000;

const WINDOW_MS = 20 * 60_000;

/** The broker of one test file, and buses on it. */
export interface TestServiceBus {
  readonly server: ServiceBusServer;
  readonly connector: ServiceBusConnector;
  /** A bus on the topic or queue that was asked for; the test closes it. */
  readonly open: (options?: Partial<ServiceBusBusOptions>) => ServiceBusBus;
}

export const TOPIC = 'events';
export const QUEUE = 'queue';

export interface TestServiceBusOptions {
  readonly kind: 'topic' | 'topic with sessions' | 'queue';
  /** Of the queue, and of these groups: how long locks last. Others are made by who subscribes. */
  readonly lockMs?: number;
  readonly groups?: readonly string[];
  /** 0: what is sent again is there twice. */
  readonly duplicateWindowMs?: number;
}

/** Call it at the top of a test file: one broker for it, with nothing on it before each test. */
export function testServiceBus({
  kind,
  lockMs = 30_000,
  groups = [],
  duplicateWindowMs = WINDOW_MS,
}: TestServiceBusOptions): TestServiceBus {
  let server: ServiceBusServer | undefined;
  const running = (): ServiceBusServer => {
    if (!server) throw new Error('testServiceBus() has a broker only while tests and hooks run');
    return server;
  };
  beforeAll(async () => {
    server = await ServiceBusServer.start();
  });
  beforeEach(() => {
    const { broker, faults } = running();
    broker.clear();
    faults.clear();
    if (kind === 'queue') {
      broker.addQueue(QUEUE, { duplicateWindowMs, lockMs, maxDeliveryCount: 200 });
      return;
    }
    const topic = broker.addTopic(TOPIC, { duplicateWindowMs });
    const sessions = kind === 'topic with sessions';
    for (const group of groups)
      broker.addSubscription(topic, group, { lockMs, sessions, maxDeliveryCount: 200 });
  });
  afterEach(async () => {
    const deadline = Date.now() + LINGER_MS;
    while (running().connectionCount > 0 && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 20));
    const left = running().connectionCount;
    // One that is in the middle of something waits a minute for itself: it is not to meet the next test.
    running().cutConnections();
    if (left > 1) throw new Error(`the test left ${left} connections to the broker open`);
  });
  afterAll(() => server?.stop());
  const connector = (): ServiceBusConnector =>
    connectServiceBus({
      connectionString: running().connectionString,
      administrationUrl: running().administrationUrl,
      attemptMs: 1_000,
    });
  return {
    get server() {
      return running();
    },
    get connector() {
      return connector();
    },
    open: (options) =>
      new ServiceBusBus({
        connector: connector(),
        place: kind === 'queue' ? { queue: QUEUE, group: 'rescue' } : { topic: TOPIC },
        makeSessions: kind === 'topic with sessions',
        log: silentLog,
        ...options,
      }),
  };
}
