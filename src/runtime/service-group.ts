import { BaseService, type Service } from './service.ts';

/**
 * Starts services in their order and stops them in reverse: what came last may need what came first. Every one is
 * stopped whatever another's stop says; the first error is rethrown afterwards. When one dies, so does the group.
 */
export class ServiceGroup extends BaseService {
  readonly #services: readonly Service[];

  constructor(name: string, services: readonly Service[]) {
    super(name);
    this.#services = services;
    for (const service of services) {
      service.died.addEventListener('abort', () => this.die(service.died.reason), { once: true });
    }
  }

  protected override async onStart(stopping: AbortSignal): Promise<void> {
    for (const service of this.#services) {
      if (stopping.aborted) return;
      // Its failure to be quiet is told when all are quieted.
      const cutShort = (): void => void service.quiet().catch(() => undefined);
      stopping.addEventListener('abort', cutShort, { once: true });
      try {
        await service.start();
      } finally {
        stopping.removeEventListener('abort', cutShort);
      }
    }
  }

  protected override async onQuiet(): Promise<void> {
    await this.#eachInReverse((service) => service.quiet());
  }

  protected override async onStop(signal: AbortSignal): Promise<void> {
    await this.#eachInReverse((service) => service.stop(signal));
  }

  async #eachInReverse(step: (service: Service) => Promise<void>): Promise<void> {
    const errors: unknown[] = [];
    for (const service of this.#services.toReversed()) {
      try {
        await step(service);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}
