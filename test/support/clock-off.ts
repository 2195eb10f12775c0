/** Preloaded into a process whose host's clock is to be off by CLOCK_OFF_MS: all that tells the time of day is. */
const offMs = Number(process.env['CLOCK_OFF_MS']);
const { timeOrigin } = performance;
const now = Date.now.bind(Date);

Object.defineProperty(performance, 'timeOrigin', { value: timeOrigin + offMs });
globalThis.Date = new Proxy(Date, {
  get: (target, key): unknown => (key === 'now' ? () => now() + offMs : Reflect.get(target, key)),
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [now() + offMs] : args, newTarget) as Date,
  apply: () => new Date().toString(),
});
