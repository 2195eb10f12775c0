import { once } from 'node:events';
import { UsageError, errorMessage } from '../model/errors.ts';
import type { Logger } from './logger.ts';
import type { Service } from './service.ts';

export interface RunOptions {
  readonly log: Logger;
  /** How long after the first signal everything may take. Default 25 s: platforms kill after 30. */
  readonly stopDeadlineMs?: number;
  /** How long after a clean stop something may still keep the process. Default 2 s. */
  readonly exitWithinMs?: number;
}

const STOP_DEADLINE_MS = 25_000;
const EXIT_WITHIN_MS = 2_000;

/** What services may take, all together, to give up after the deadline. */
const GRACE_MS = 3_000;

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

type Ending = { readonly by: string } | { readonly died: unknown } | { readonly failed: unknown };

/**
 * Runs a service as the whole of a process: starts it; at the first SIGTERM or SIGINT quiets and stops it; at a second
 * one exits at once with code 1. Set `process.exitCode` to what it returns: a process that has nothing left to do then
 * ends by itself; for one that something still holds, a watchdog names what it is, and ends it.
 * @returns 0 after a clean stop, 2 when it could not start because of how it was called, else 1
 */
export async function runService(service: Service, options: RunOptions): Promise<number> {
  const { log, stopDeadlineMs = STOP_DEADLINE_MS, exitWithinMs = EXIT_WITHIN_MS } = options;
  process.on('uncaughtExceptionMonitor', (error) => log.fatal({ err: error }, 'crashed'));
  const ending = await run(service, firstSignal(log), log);
  let code = 'by' in ending ? 0 : 'failed' in ending && ending.failed instanceof UsageError ? 2 : 1;
  if (!(await stop(service, stopDeadlineMs, log))) code ||= 1;
  log.info({ code }, 'stopped');
  watchExit(code, exitWithinMs, log);
  return code;
}

async function run(service: Service, signalled: Promise<string>, log: Logger): Promise<Ending> {
  const ended = Promise.race<Ending>([
    signalled.then((by) => ({ by })),
    death(service).then((reason) => ({ died: reason })),
  ]);
  const started = service.start().then(
    (): Ending | undefined => undefined,
    (error: unknown) => ({ failed: error }),
  );
  const first = await Promise.race([started, ended]);
  if (first === undefined) log.info({ service: service.name }, 'running');
  const ending = first ?? (await ended);
  if ('failed' in ending) {
    const { failed } = ending;
    // Whose fault it is stands in the message; a stack would only hide it.
    log.fatal(
      failed instanceof UsageError ? {} : { err: failed },
      `cannot start: ${errorMessage(failed)}`,
    );
  } else if ('died' in ending) {
    log.fatal({ err: ending.died }, 'a service has died');
  } else {
    log.info({ signal: ending.by }, 'stopping; a second signal forces');
  }
  return ending;
}

/** Resolves at the first signal; at a second one there is nothing more to wait for. */
function firstSignal(log: Logger): Promise<string> {
  return new Promise((resolve) => {
    let signals = 0;
    for (const name of SIGNALS) {
      process.on(name, () => {
        signals += 1;
        if (signals === 1) {
          resolve(name);
          return;
        }
        log.warn({ signal: name }, 'forced');
        process.exit(1);
      });
    }
  });
}

async function death({ died }: Service): Promise<unknown> {
  await aborted(died);
  return died.reason;
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

async function stop(service: Service, deadlineMs: number, log: Logger): Promise<boolean> {
  const deadline = AbortSignal.timeout(deadlineMs);
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    const complaint = `not stopped within ${deadlineMs} ms`;
    timer = setTimeout(() => reject(new Error(complaint)), deadlineMs + GRACE_MS);
  });
  try {
    // A service that cannot be quieted, or not in time, can still be stopped.
    const quieted = service
      .quiet()
      .catch((error: unknown) => log.error({ err: error }, 'not quiet'));
    const stopped = Promise.race([quieted, aborted(deadline)]).then(() => service.stop(deadline));
    await Promise.race([stopped, tooLate]);
    if (deadline.aborted) log.warn({ deadlineMs }, 'the deadline cut off what was in hand');
    return true;
  } catch (error) {
    log.error({ err: error }, 'did not stop cleanly');
    return false;
  } finally {
    clearTimeout(timer);
  }
}

function watchExit(code: number, withinMs: number, log: Logger): void {
  const timer = setTimeout(() => {
    const resources = process.getActiveResourcesInfo();
    log.warn({ resources }, 'something still holds the process: exits anyway');
    process.exit(code);
  }, withinMs);
  // It must not be what holds the process.
  timer.unref();
}
