/** The port with some of its methods replaced; the others are its own. */
export function replacing<T extends object>(port: T, methods: Partial<T>): T {
  return new Proxy(port, {
    get(target, key) {
      const replaced: unknown = Reflect.get(methods, key);
      if (replaced !== undefined) return replaced;
      const member: unknown = Reflect.get(target, key, target);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}
