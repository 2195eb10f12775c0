import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

export interface MetricOptions<L extends string = string> {
  /** In words of the glossary, with unit and `_total` as Prometheus wants them: `rekindle_looks_total`. */
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly L[];
}

/** From half a millisecond, a command to a Redis nearby, to the ten seconds of one that is in trouble. */
const SECONDS_BUCKETS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/** The metrics of one instance: two in a process share nothing. Asking for a name again gives the same metric. */
export class Telemetry {
  readonly #registry = new Registry();

  constructor(options: { readonly processMetrics?: boolean } = {}) {
    if (options.processMetrics) collectDefaultMetrics({ register: this.#registry });
  }

  counter<L extends string>({ name, help, labels = [] }: MetricOptions<L>): Counter<L> {
    return this.#once(name, Counter<L>, () => {
      return new Counter({ name, help, labelNames: labels, registers: [this.#registry] });
    });
  }

  /** With `collect`, the value is asked for at each scrape. */
  gauge<L extends string>(
    { name, help, labels = [] }: MetricOptions<L>,
    collect?: (gauge: Gauge<L>) => Promise<void> | void,
  ): Gauge<L> {
    return this.#once(name, Gauge<L>, () => {
      return new Gauge({
        name,
        help,
        labelNames: labels,
        registers: [this.#registry],
        ...(collect && {
          async collect(this: Gauge<L>) {
            try {
              await collect(this);
            } catch {
              // A value that cannot be had now must not cost the whole scrape.
              this.reset();
            }
          },
        }),
      });
    });
  }

  histogram<L extends string>(
    { name, help, labels = [] }: MetricOptions<L>,
    buckets: readonly number[] = SECONDS_BUCKETS,
  ): Histogram<L> {
    return this.#once(name, Histogram<L>, () => {
      return new Histogram({
        name,
        help,
        labelNames: labels,
        buckets: [...buckets],
        registers: [this.#registry],
      });
    });
  }

  /** All of it in the text form that Prometheus reads. */
  render(): Promise<string> {
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  #once<M extends object>(
    name: string,
    kind: abstract new (...args: never[]) => M,
    create: () => M,
  ): M {
    const known: unknown = this.#registry.getSingleMetric(name);
    if (known === undefined) return create();
    if (known instanceof kind) return known;
    throw new TypeError(`the metric ${name} is of another kind already`);
  }
}

/**
 * Wraps a port so that every call that returns a promise is timed and its failures are counted; adapters stay free of
 * metrics.
 * @param except methods that wait on purpose, whose duration says nothing
 */
export function instrument<P extends object>(
  port: P,
  name: string,
  telemetry: Telemetry,
  except: readonly (keyof P & string)[] = [],
): P {
  const seconds = telemetry.histogram({
    name: 'rekindle_port_seconds',
    help: 'Duration of calls to a port.',
    labels: ['port', 'method'],
  });
  const errors = telemetry.counter({
    name: 'rekindle_port_errors_total',
    help: 'Calls to a port that failed.',
    labels: ['port', 'method'],
  });
  const wrapped = new Map<PropertyKey, unknown>();
  const wrap = (method: string, call: (...args: unknown[]) => unknown) => {
    const labels = { port: name, method };
    return (...args: unknown[]): unknown => {
      const startedAt = performance.now();
      // Called on the port itself: its private fields are not to be reached through a proxy.
      const result = call.apply(port, args);
      if (!(result instanceof Promise)) return result;
      return result
        .catch((error: unknown) => {
          errors.inc(labels);
          throw error;
        })
        .finally(() => seconds.observe(labels, (performance.now() - startedAt) / 1_000));
    };
  };
  return new Proxy(port, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function' || typeof key !== 'string' || key === 'constructor')
        return value;
      const known = wrapped.get(key);
      if (known) return known;
      const call = value as (...args: unknown[]) => unknown;
      const method = except.includes(key as keyof P & string) ? call.bind(target) : wrap(key, call);
      wrapped.set(key, method);
      return method;
    },
  });
}
