import { Command } from 'commander';
import { DEMOTION } from '../abandonment/demotion.ts';
import { openBus, openJobs } from '../compose.ts';
import { UsageError } from '../model/errors.ts';
import { isoInstant } from '../model/instant.ts';
import type { Bus } from '../ports/bus.ts';
import type { Jobs } from '../ports/jobs.ts';
import { silentLogger } from '../runtime/logger.ts';
import { COMPACTION } from '../tiers/compactor.ts';
import { columns, configOf, printJson, printLines, withSettings } from './context.ts';
import { positiveInteger } from './options.ts';

/** `rekindle deadletters` */
export function deadlettersCommand(): Command {
  return new Command('deadletters')
    .description('What failed for good: events of consumer groups, and jobs that concern a user.')
    .addHelpText(
      'after',
      '\nAn ID is events:GROUP:LETTER or jobs:QUEUE:USER, as `list` shows it.' +
        '\n\nExample:\n  rekindle deadletters list\n  rekindle deadletters replay events:rescue:1772366400000-0',
    )
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(replayCommand())
    .addCommand(dropCommand());
}

interface Places {
  readonly bus: Bus;
  readonly jobs: Jobs;
}

/** Of jobs those that are kept under the name of a user. */
const QUEUES = [DEMOTION, COMPACTION];

/** One dead letter, wherever it lies. */
interface Letter {
  readonly id: string;
  /** ISO 8601. */
  readonly at: string;
  /** Whom it concerns, as the event says it, or the key of the job; null for what is no event. */
  readonly subject: string | null;
  readonly attempts: number;
  readonly reason: string;
}

function listCommand(): Command {
  const command = new Command('list')
    .description('List dead letters.')
    .option('--limit <count>', 'show at most so many of each group and queue', positiveInteger, 100)
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  rekindle deadletters list --limit 20');
  withSettings(command);
  return command.action(async ({ limit, json }: { limit: number; json?: boolean }) => {
    await withPlaces(command, async (places) => {
      const letters = await lettersIn(places, limit);
      if (json) {
        printJson({ letters });
        return;
      }
      printLines(
        columns(
          letters.map(({ id, at, subject, attempts, reason }) => [
            at,
            id,
            subject ?? '',
            `${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}`,
            reason,
          ]),
        ),
      );
      if (letters.length === 0) printLines(['no dead letters']);
    });
  });
}

function showCommand(): Command {
  const command = new Command('show')
    .description('Show one dead letter, of an event all of it, as JSON.')
    .argument('<id>', 'as `list` shows it')
    .addHelpText('after', '\nExample:\n  rekindle deadletters show jobs:demotion:4711');
  withSettings(command);
  return command.action(async (id: string) => {
    const { kind, place, letter } = partsOf(id);
    await withPlaces(command, async ({ bus, jobs }) => {
      if (kind === 'jobs') {
        const { dead } = await jobs.inspect(place, letter);
        if (!dead) throw absent(id);
        printJson({ id, ...dead, at: isoInstant(dead.at) });
        return;
      }
      const [found] = await bus.deadLetters(place, 1, letter);
      if (found?.id !== letter) throw absent(id);
      const { event, body, reason, attempts, at } = found;
      printJson({ id, at: isoInstant(at), attempts, reason, event: event ?? body });
    });
  });
}

function replayCommand(): Command {
  const command = new Command('replay')
    .description(
      'Try dead letters again, with all attempts before them: those that are named, or all.',
    )
    .argument('[ids...]', 'as `list` shows them')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  rekindle deadletters replay');
  withSettings(command);
  return command.action(async (ids: string[], { json }: { json?: boolean }) => {
    const named = ids.map(partsOf);
    await withPlaces(command, async ({ bus, jobs }) => {
      let replayed = 0;
      if (named.length === 0) {
        for (const { group } of await bus.groups()) replayed += await bus.replay(group);
        for (const queue of QUEUES) replayed += await jobs.replay(queue);
      }
      for (const { kind, place, letter } of named)
        replayed += await (kind === 'events' ? bus : jobs).replay(place, [letter]);
      tell('replayed', replayed, named.length, json);
    });
  });
}

function dropCommand(): Command {
  const command = new Command('drop')
    .description('Remove dead letters for good: what they tell of is not done any more.')
    .argument('<ids...>', 'as `list` shows them')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  rekindle deadletters drop jobs:demotion:4711');
  withSettings(command);
  return command.action(async (ids: string[], { json }: { json?: boolean }) => {
    const named = ids.map(partsOf);
    await withPlaces(command, async ({ bus, jobs }) => {
      let dropped = 0;
      for (const { kind, place, letter } of named)
        dropped += await (kind === 'events' ? bus : jobs).drop(place, [letter]);
      tell('dropped', dropped, named.length, json);
    });
  });
}

/** What was named and is not there makes it fail: somebody meant something else. */
function tell(what: 'replayed' | 'dropped', count: number, named: number, json = false): void {
  if (json) printJson({ [what]: count });
  else printLines([`${count} ${what}${count < named ? `, ${named - count} not found` : ''}`]);
  if (count < named) process.exitCode = 1;
}

async function lettersIn({ bus, jobs }: Places, limit: number): Promise<Letter[]> {
  const letters: Letter[] = [];
  for (const { group } of await bus.groups())
    for (const { id, event, reason, attempts, at } of await bus.deadLetters(group, limit))
      letters.push({
        id: `events:${group}:${id}`,
        at: isoInstant(at),
        subject: event?.subject ?? null,
        attempts,
        reason,
      });
  for (const queue of QUEUES)
    for (const { key, reason, attempts, at } of (await jobs.deadLetters(queue, limit)).letters)
      letters.push({
        id: `jobs:${queue}:${key}`,
        at: isoInstant(at),
        subject: key,
        attempts,
        reason,
      });
  return letters;
}

interface Parts {
  readonly kind: 'events' | 'jobs';
  /** Group or queue. */
  readonly place: string;
  readonly letter: string;
}

/** A group's name may hold colons, a user's id too; a letter's id and a queue's name hold none. */
function partsOf(id: string): Parts {
  const [, group, entry] = /^events:(.+):([^:]+)$/s.exec(id) ?? [];
  if (group !== undefined && entry !== undefined)
    return { kind: 'events', place: group, letter: entry };
  const [, queue = '', key] = /^jobs:([^:]+):(.+)$/s.exec(id) ?? [];
  if (key !== undefined && QUEUES.includes(queue))
    return { kind: 'jobs', place: queue, letter: key };
  throw new UsageError(
    `${JSON.stringify(id)} is no dead letter's id: give events:GROUP:LETTER or jobs:QUEUE:USER with one of the queues ${QUEUES.join(', ')}`,
  );
}

function absent(id: string): Error {
  return new Error(`there is no dead letter ${JSON.stringify(id)}`);
}

async function withPlaces(
  command: Command,
  work: (places: Places) => Promise<void>,
): Promise<void> {
  const config = await configOf(command);
  await using opened = new AsyncDisposableStack();
  const bus = await openBus(config);
  opened.defer(() => bus.close());
  const jobs = await openJobs(config, silentLogger);
  opened.defer(() => jobs.stop(AbortSignal.abort()));
  await work({ bus, jobs });
}
