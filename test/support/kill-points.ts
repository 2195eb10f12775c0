import type { WatcherPorts } from '../../src/abandonment/watcher.ts';

/** The steps of a look, by port and method. */
export const STEPS = [
  'agenda.claim',
  'ledgers.read',
  'ledgers.commit',
  'bus.publish',
  'ledgers.strike',
  'agenda.settle',
] as const;

export type Step = (typeof STEPS)[number];

/** Where a process dies: just before or just after the n-th call of a step that has something to do. */
export interface KillPoint {
  readonly when: 'before' | 'after';
  readonly step: Step;
  readonly nth: number;
}

/** Wraps the ports so that the process kills itself, without a chance to clean up, at the kill point. */
export function withKillPoint(ports: WatcherPorts, point: KillPoint): WatcherPorts {
  const [name, method] = point.step.split('.') as ['agenda' | 'ledgers' | 'bus', string];
  let left = point.nth;
  const die = (): Promise<never> => {
    process.kill(process.pid, 'SIGKILL');
    // The signal arrives before anything else runs, but not before this returns.
    return new Promise(() => undefined);
  };
  const wrapped = new Proxy(ports[name], {
    get(port, key) {
      const member: unknown = Reflect.get(port, key, port);
      if (typeof member !== 'function') return member;
      if (key !== method) return member.bind(port) as unknown;
      return async (...args: unknown[]): Promise<unknown> => {
        const counts = method === 'claim' ? undefined : hasWork(args);
        if (counts) left -= 1;
        if (counts && left === 0 && point.when === 'before') return die();
        const result: unknown = await (member as (...all: unknown[]) => Promise<unknown>).apply(
          port,
          args,
        );
        if (counts && left === 0) return die();
        // Of a claim only the answer tells whether anybody was due.
        if (method === 'claim' && (result as { users: unknown[] }).users.length > 0) {
          left -= 1;
          if (left === 0) return die();
        }
        return result;
      };
    },
  });
  return { ...ports, [name]: wrapped };
}

function hasWork(args: readonly unknown[]): boolean {
  return args.some((arg) => Array.isArray(arg) && arg.length > 0);
}
