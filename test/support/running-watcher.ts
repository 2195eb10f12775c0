import { composeDaemon } from '../../src/compose-daemon.ts';
import { type Hot, openBus, openHot } from '../../src/compose.ts';
import { type Config, loadConfig } from '../../src/config.ts';
import type { AnyEvent } from '../../src/model/event.ts';
import { type RecordingLogger, recordingLogger } from './recording-logger.ts';
import { assertValidEvent } from './schemas.ts';

/** The whole daemon in this process, with a subscriber that keeps all it hears. */
export class RunningWatcher implements AsyncDisposable {
  /** Each a valid one, in the order of the wire. */
  readonly events: AnyEvent[] = [];
  readonly hot: Hot;
  readonly #logger: RecordingLogger;
  readonly #opened: AsyncDisposableStack;

  private constructor(hot: Hot, logger: RecordingLogger, opened: AsyncDisposableStack) {
    this.hot = hot;
    this.#logger = logger;
    this.#opened = opened;
  }

  /** @param settings by their environment names */
  static async start(settings: Readonly<Record<string, string>>): Promise<RunningWatcher> {
    const config = loadConfig({ REKINDLE_HTTP: 'off', ...settings });
    await using opened = new AsyncDisposableStack();
    const logger = recordingLogger();
    const hot = await openHot(config);
    opened.defer(() => hot.close());
    const daemon = await composeDaemon(config, { log: logger.log, workers: ['watcher'] });
    opened.defer(() => daemon.stop(AbortSignal.timeout(10_000)));
    const watcher = new RunningWatcher(hot, logger, opened.move());
    watcher.#opened.use(await watcher.#subscribe(config));
    await daemon.start();
    return watcher;
  }

  get logged(): Record<string, unknown>[] {
    return this.#logger.lines();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
  }

  async #subscribe(config: Config): Promise<AsyncDisposable> {
    const bus = await openBus(config);
    const subscription = await bus.subscribe({ group: 'test' });
    const over = new AbortController();
    const hear = async (): Promise<void> => {
      while (!over.signal.aborted) {
        for (const delivery of await subscription.receive(100, 1_000, over.signal)) {
          assertValidEvent(delivery.event);
          this.events.push(delivery.event);
          await delivery.done();
        }
      }
    };
    const hearing = hear();
    return {
      [Symbol.asyncDispose]: async () => {
        over.abort();
        await hearing;
        await subscription.close();
        await bus.close();
      },
    };
  }
}
