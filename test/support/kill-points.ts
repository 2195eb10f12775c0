import { writeSync } from 'node:fs';
import type { WatcherPorts } from '../../src/abandonment/watcher.ts';

/** The steps of a look, by port and method. */
const STEPS = [
  'agenda.claim',
  'ledgers.read',
  'ledgers.commit',
  'bus.publish',
  'agenda.settle',
] as const;

/** One side of a step of a look. */
export interface Boundary {
  readonly when: 'before' | 'after';
  readonly step: (typeof STEPS)[number];
}

/** Where a process is struck down: at a boundary, the n-th time that the step has something to do. */
export interface KillPoint extends Boundary {
  readonly nth: number;
  /** SIGSTOP freezes it: it goes on where it was when it gets SIGCONT. */
  readonly signal: 'SIGKILL' | 'SIGSTOP';
}

/** Both sides of every step. */
export const BOUNDARIES: readonly Boundary[] = STEPS.flatMap((step) => [
  { when: 'before', step },
  { when: 'after', step },
]);

/** What a process says before it is struck down: of one that is frozen, nothing else tells when. */
export const STRUCK_DOWN = 'struck down';

/** Wraps the ports so that the process sends itself the signal, without a chance to clean up, at the kill point. */
export function withKillPoint(ports: WatcherPorts, point: KillPoint): WatcherPorts {
  let left = point.nth;
  const pass = async (side: Boundary['when'], step: string, worked: boolean): Promise<void> => {
    if (side !== point.when || step !== point.step || !worked) return;
    left -= 1;
    if (left === 0) await strikeDown(point.signal);
  };
  // Whom this process has claimed: who reads others does not look, but reconciles.
  const claimed = new Set<string>();
  return {
    ...ports,
    agenda: replacing(ports.agenda, {
      claim: async (now, limit) => {
        // Whether anybody is due, nobody can tell yet.
        await pass('before', 'agenda.claim', true);
        const claim = await ports.agenda.claim(now, limit);
        for (const user of claim.users) claimed.add(user);
        await pass('after', 'agenda.claim', claim.users.length > 0);
        return claim;
      },
      settle: async (claim, next) => {
        await pass('before', 'agenda.settle', next.length > 0);
        const settled = await ports.agenda.settle(claim, next);
        for (const user of claim.users) claimed.delete(user);
        await pass('after', 'agenda.settle', next.length > 0);
        return settled;
      },
    }),
    ledgers: replacing(ports.ledgers, {
      read: async (users, now) => {
        const looks = users.length > 0 && users.every((user) => claimed.has(user));
        await pass('before', 'ledgers.read', looks);
        const readings = await ports.ledgers.read(users, now);
        await pass('after', 'ledgers.read', looks);
        return readings;
      },
      commit: async (claim, writes, now) => {
        await pass('before', 'ledgers.commit', writes.length > 0);
        const outcomes = await ports.ledgers.commit(claim, writes, now);
        await pass('after', 'ledgers.commit', writes.length > 0);
        return outcomes;
      },
    }),
    bus: replacing(ports.bus, {
      publish: async (events, signal) => {
        await pass('before', 'bus.publish', events.length > 0);
        const results = await ports.bus.publish(events, signal);
        await pass('after', 'bus.publish', events.length > 0);
        return results;
      },
    }),
  };
}

/** The port with some methods replaced; the others are called on the port itself, for its private fields. */
function replacing<P extends object>(port: P, methods: Partial<P>): P {
  return new Proxy(port, {
    get(target, key) {
      if (key in methods) return methods[key as keyof P];
      const member: unknown = Reflect.get(target, key, target);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}

async function strikeDown(signal: KillPoint['signal']): Promise<void> {
  writeSync(2, `${STRUCK_DOWN}\n`);
  process.kill(process.pid, signal);
  // SIGKILL comes before anything else runs, but not before this returns.
  if (signal === 'SIGKILL') await new Promise(() => undefined);
}
