import type { WorldPorts } from './look-world.ts';

/** What is done around a step of a look. */
export type Around = (call: () => Promise<unknown>) => Promise<unknown>;

/** The ports with something around one of their steps. */
export function aroundStep(
  ports: WorldPorts,
  name: 'agenda' | 'ledgers' | 'bus',
  step: string,
  around: Around,
): WorldPorts {
  const port = new Proxy(ports[name], {
    get(target, key) {
      const member: unknown = Reflect.get(target, key, target);
      if (typeof member !== 'function') return member;
      const method = member.bind(target) as (...args: unknown[]) => Promise<unknown>;
      return key === step ? (...args: unknown[]) => around(() => method(...args)) : method;
    },
  });
  return { ...ports, [name]: port };
}
