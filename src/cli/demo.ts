import { randomBytes } from 'node:crypto';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { setUp } from '../compose-setup.ts';
import { loadConfig } from '../config.ts';
import { runDemo } from '../demo/demo.ts';
import { Display } from '../demo/display.ts';
import { summaryLines } from '../demo/summary-lines.ts';
import type { DemoSummary } from '../demo/summary.ts';
import { printJson, printLines } from './context.ts';
import { positiveInteger } from './options.ts';
import { reportJson } from './report-json.ts';
import { reportLines } from './report-lines.ts';
import { type PrivateRedis, startPrivateRedis } from './private-redis.ts';

/** Less, and nobody has the time to go quiet twice and come back. */
const LEAST_SECONDS = 5;

/** What a shell reports for a command that a signal ended: 128 and its number. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

type Signal = keyof typeof EXIT_CODES;

interface Options {
  readonly seconds: number;
  readonly users: number;
  readonly seed: number;
  readonly json?: boolean;
  readonly azure?: boolean;
}

/** `rekindle demo` */
export function demoCommand(): Command {
  return new Command('demo')
    .description(
      'Show a shop of a few hundred people, the daemon and a rescue agent for 20 seconds, from quiet carts to recall and orders.',
    )
    .option('--seconds <n>', 'how long people chat and shop', atLeast(LEAST_SECONDS), 20)
    .option('--users <n>', 'how many people come', positiveInteger, 300)
    .option('--seed <n>', 'the same seed gives the same people', positiveInteger, 1)
    .option(
      '--azure',
      'over the adapters for Azure, on servers of its own that speak its protocols',
    )
    .option('--json', 'print the closing summary as JSON, and nothing else')
    .addHelpText(
      'after',
      '\nIt starts a Redis of its own, or uses that of REDIS_URL below keys of its own, and leaves nothing behind. Some people have been here days ago; the round that compacts what they said is begun by the demo, for a cron comes too late, and the daemon compacts.',
    )
    .addHelpText('after', '\nExample:\n  rekindle demo --users 500 --json | jq .lateness_ms')
    .action(async (options: Options) => {
      using signals = new Signals();
      try {
        const summary = await demo(options, signals.stop);
        const { report, span } = summary.rescue;
        if (options.json) printJson(jsonOf(summary));
        else printLines(['', ...summaryLines(summary, reportLines(report, span, CAUGHT_UP))]);
        const { ok, missing, unexpected, misplaced, bereft, forgotten, problems } = summary.checks;
        const { misdirected, misjudged, miscounted } = summary.checks;
        if (ok) return;
        throw new Error(
          `the demo's check failed: ${missing} events did not come, ${unexpected} came that should not, ${misplaced} messages are not where they belong, ${bereft} people did not find what they had left, of ${forgotten} recall knew no insight, ${misdirected} rescue messages are not as they should be, ${misjudged} orders are not, nor ${miscounted} numbers of the report; ${problems.join('; ')}`,
        );
      } catch (error) {
        if (signals.came === undefined) throw firstOf(error);
        process.stderr.write('rekindle: stopped; nothing is left behind\n');
        process.exitCode = EXIT_CODES[signals.came];
      }
    });
}

/** The demo waits until its events are in the report. */
const CAUGHT_UP = { behind: 0, deadLetters: 0 };

/** The report in it as `rekindle report --json` prints it. */
function jsonOf(summary: DemoSummary): unknown {
  const { report, span, ...rescue } = summary.rescue;
  return { ...summary, rescue: { ...rescue, report: reportJson(report, span, CAUGHT_UP) } };
}

async function demo(options: Options, signal: AbortSignal): Promise<DemoSummary> {
  const { json, azure, ...crowd } = options;
  const display = process.stdout.isTTY && !json ? new Display(process.stdout) : undefined;
  let server: PrivateRedis | undefined;
  await using closing = new AsyncDisposableStack();
  try {
    const given = Boolean(process.env['REDIS_URL']);
    display?.say(given ? 'starting the daemon …' : 'starting Redis and the daemon …');
    // What the daemon asks of a Redis: notifications, and nothing evicted.
    if (!given) {
      server = await startPrivateRedis({ config: { 'notify-keyspace-events': 'Kghl$' }, signal });
    }
    const stores = server ? { REDIS_URL: server.url } : redisSettings();
    if (azure) Object.assign(stores, await azureSettings(stores, closing, signal));
    return await runDemo({
      ...crowd,
      redis: given ? 'given' : 'private',
      stores,
      keys: `rekindle-demo-${randomBytes(4).toString('hex')}`,
      entry: fileURLToPath(new URL(`main${extname(import.meta.filename)}`, import.meta.url)),
      display,
      signal,
    });
  } catch (error) {
    if (!server || server.alive || signal.aborted) throw error;
    throw new Error('the Redis of the demo has ended: what was in it is gone', { cause: error });
  } finally {
    display?.close();
    await server?.stop();
  }
}

/** Servers for Azure, set up as `rekindle setup --apply` does; the settings that lead there. */
async function azureSettings(
  redis: Readonly<Record<string, string | undefined>>,
  closing: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string>>> {
  const { startAzureServers } = await import('../demo/azure-servers.ts');
  const { env } = closing.use(await startAzureServers(signal));
  const findings = await setUp(loadConfig({ ...redis, ...env }), { apply: true });
  const refused = findings.filter(({ level }) => level === 'refuse');
  if (refused.length > 0) throw new Error(refused.map(({ what }) => what).join('; '));
  return env;
}

/** What went wrong first, not what failed of the teardown after it. */
function firstOf(error: unknown): unknown {
  return error instanceof SuppressedError ? firstOf(error.suppressed) : error;
}

function redisSettings(): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => name.startsWith('REDIS_')),
  );
}

/** The first signal stops in order; a second one at once, and then Redis and the daemon die with us. */
class Signals {
  came: Signal | undefined;
  readonly #stop = new AbortController();
  readonly #listeners = new Map<Signal, () => void>();

  constructor() {
    for (const name of Object.keys(EXIT_CODES) as Signal[]) {
      const listener = (): void => {
        if (this.came !== undefined) process.exit(EXIT_CODES[name]);
        this.came = name;
        this.#stop.abort(new Error('stopped by a signal'));
      };
      this.#listeners.set(name, listener);
      process.on(name, listener);
    }
  }

  get stop(): AbortSignal {
    return this.#stop.signal;
  }

  [Symbol.dispose](): void {
    for (const [name, listener] of this.#listeners) process.off(name, listener);
  }
}

function atLeast(least: number): (text: string) => number {
  return (text) => {
    const value = positiveInteger(text);
    if (value < least) throw new InvalidArgumentError(`give at least ${least}.`);
    return value;
  };
}
