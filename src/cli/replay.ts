import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { Command } from 'commander';
import { createLogUpdate } from 'log-update';
import { composeReplay } from '../compose-replay.ts';
import { UsageError } from '../model/errors.ts';
import type { AnyEvent } from '../model/event.ts';
import { isoInstant } from '../model/instant.ts';
import { describeBadRows, openEventFile } from '../replay/event-file.ts';
import { columns, configOf, printJson, printLines, withSettings } from './context.ts';
import { startPrivateRedis } from './private-redis.ts';
import { rescueJson, rescueLines, rescueOf } from './replay-report.ts';

interface ReplayFlags {
  readonly events: string;
  readonly out?: string;
  readonly agent?: boolean;
  readonly json?: boolean;
}

const AGENT_HELP = `
With --agent each visitor gets a channel (whatsapp, email), a language (en, hi, hi-en), a time zone and a consent (a yes
for most; a yes to another channel, or none, for some). The file says nothing of these: they are made up from the
visitor's id, the same every time. What is announced goes over the stream to a bus within the process, which holds
messages over quiet hours by the file's time; messages are counted, and go nowhere. People do what the file says,
whatever was sent to them: the report shows who is reached and when, not what that changes. The same file and settings
give the same report, so it tells no seconds.`;

/** `rekindle replay --events FILE` */
export function replayCommand(): Command {
  const command = new Command('replay')
    .description(
      'Run a file of events through the real pipeline, on a private Redis and in virtual time.',
    )
    .requiredOption('--events <file>', 'CSV file of events, plain or .gz (see backtest --help)')
    .option('--out <file>', 'write each event that was announced as a line of JSON')
    .option('--agent', 'let the example agent act on what is announced, and print the report')
    .option('--json', 'print the summary as JSON')
    .addHelpText('after', AGENT_HELP)
    .addHelpText(
      'after',
      '\nExample:\n  rekindle replay --events clicks.csv --stages 30m --out events.jsonl\n' +
        '  rekindle replay --events clicks.csv --agent --holdout 0.1',
    );
  withSettings(command);
  return command.action(async ({ events: path, out, agent, json }: ReplayFlags) => {
    const live = process.stderr.isTTY ? createLogUpdate(process.stderr) : undefined;
    const file = await openEventFile(path, {
      onProgress: (read, total) =>
        live?.(`replay  reading ${String(Math.floor((100 * read) / total))} %`),
    });
    const config = await configOf(command);
    const sink = out === undefined ? undefined : createWriteStream(out);
    if (sink)
      await once(sink, 'open').catch((error: unknown) => Promise.reject(unwritable(out, error)));
    await using server = await startPrivateRedis();
    const startedAt = performance.now();
    const replay = await composeReplay(
      {
        ...config,
        // A visitor has one session.
        sessionKey: 'session:<user_id>',
        redisUrl: server.url,
        queueRedisUrl: server.url,
        busRedisUrl: server.url,
        // Nothing of it leaves this process and its Redis.
        ...{ redisAuth: 'password', bus: 'redis-streams', warm: 'sqlite', cold: 'files' },
        renewed: undefined,
      },
      { agent: agent === true },
    );
    try {
      const report = await replay.run(file.byTime(), (event: AnyEvent) =>
        sink?.write(`${JSON.stringify(event)}\n`),
      );
      live?.clear();
      for (const line of describeBadRows(path, file.report)) process.stderr.write(`${line}\n`);
      const summary = {
        events: report.events,
        bad_rows: file.report.badRows,
        visitors: report.visitors,
        from: report.events > 0 ? isoInstant(report.from) : null,
        to: report.events > 0 ? isoInstant(report.to) : null,
        announced: report.announced,
        cancelled: report.cancelled,
        recovered: report.recovered,
        looks: report.looks,
        resumed: report.resumed,
        received: report.account.received,
        in_hot: report.account.hotOnly,
        in_warm: report.account.warmOnly,
        in_both: report.account.both,
        missing: report.account.missing,
        repeated: report.account.repeated,
      };
      if (replay.rescue) {
        const rescued = await rescueOf(replay.rescue, report);
        if (json) printJson({ ...summary, ...rescueJson(rescued) });
        else printLines([...rows(summary), '', ...rescueLines(rescued)]);
        return;
      }
      const seconds = Math.round(performance.now() - startedAt) / 1_000;
      if (json) printJson({ ...summary, seconds });
      else printLines(rows({ ...summary, seconds }));
    } finally {
      await replay.close();
      if (sink) await new Promise((resolve) => sink.end(resolve));
    }
  });
}

function rows(summary: Readonly<Record<string, unknown>>): string[] {
  return columns(Object.entries(summary).map(([name, value]) => [name, String(value)]));
}

function unwritable(path: string | undefined, error: unknown): UsageError {
  return new UsageError(`${String(path)} cannot be written`, { cause: error });
}
