import { Command } from 'commander';
import { DEMOTION } from '../abandonment/demotion.ts';
import { openStandingWarm } from '../compose-warm.ts';
import { type Hot, openHot, openJobs, warmFile } from '../compose.ts';
import type { Config } from '../config.ts';
import { errorMessage } from '../model/errors.ts';
import { isoInstant } from '../model/instant.ts';
import type { Snapshot } from '../ports/records.ts';
import { silentLogger } from '../runtime/logger.ts';
import { columns, configOf, printJson, printLines, withSettings } from './context.ts';
import {
  type MessageView,
  type WarmView,
  instantOf,
  lookIntoWarm,
  messageOf,
} from './inspect-warm.ts';

interface Options {
  readonly session?: string;
  readonly json?: boolean;
  readonly text?: boolean;
}

type Json = Record<string, unknown>;

/** `rekindle inspect USER` */
export function inspectCommand(): Command {
  const command = new Command('inspect')
    .description(
      'Show what is known of one user in every tier: session, agenda, ledger, demotion, warm.',
    )
    .argument('<user>', 'the user id, as in the session key')
    .option('--session <id>', 'only this one, where one user has several')
    .option('--json', 'print JSON, with the id, role and instant of each message')
    .option('--text', 'show what was said, too')
    .addHelpText('after', '\nExample:\n  rekindle inspect 4711 --json');
  withSettings(command);
  return command.action(async (user: string, { session, json, text = false }: Options) => {
    const config = configOf(command);
    const hot = await openHot(config);
    try {
      const refs = await refsOf(hot, user, session);
      const reports = await Promise.all(refs.map((ref) => reportOf(ref, config, hot, text)));
      const warm = await warmOf(user, config, hot, text);
      const now = isoInstant(hot.clock.now());
      const { several } = hot.sessions.names;
      if (json)
        printJson(several ? { user, sessions: reports, warm, now } : { ...reports[0], warm, now });
      else printReports(several, reports, warm, now, text);
    } finally {
      await hot.close();
    }
  });
}

/** The session that was named, or all that the user has: several are found by a pass over all keys. */
async function refsOf(hot: Hot, user: string, session?: string): Promise<readonly string[]> {
  const { names } = hot.sessions;
  if (session !== undefined) return [names.refOf({ user, session })];
  const alone = names.userRef(user);
  const all = await hot.records.sessionsOf(user);
  return names.several ? all.filter((ref) => ref !== alone).toSorted() : all;
}

type Report = Json & { readonly window: Said; readonly overflow: Said };

async function reportOf(ref: string, config: Config, hot: Hot, text: boolean): Promise<Report> {
  const { user, session } = hot.sessions.names.nameOf(ref);
  const [inHot, demotion] = await Promise.all([
    lookIntoHot(ref, hot, text),
    demotionOf(ref, config),
  ]);
  return {
    user,
    ...(session !== undefined && { session_id: session }),
    key: hot.sessions.keyOf(ref),
    ...inHot,
    demotion,
  };
}

function printReports(
  several: boolean,
  reports: readonly Report[],
  warm: WarmView,
  now: string,
  text: boolean,
): void {
  for (const report of reports) {
    const shown = {
      ...report,
      window: counted(report.window),
      overflow: counted(report.overflow),
    };
    printLines([...columns(rowsOf(shown)), ...(several ? [''] : [])]);
  }
  if (several) printLines([many(reports.length, 'session')]);
  printLines(columns([...warmRows(warm), ['now', now]]));
  if (text) printLines(columns(saidRows(reports, warm)));
}

/** Session, agenda and ledger. */
async function lookIntoHot(
  user: string,
  { ledgers, agenda, records, clock }: Hot,
  text: boolean,
): Promise<Report> {
  const [readings, place, snapshot] = await Promise.all([
    ledgers.read([user], clock.now()),
    agenda.inspect(user),
    records.snapshot(user),
  ]);
  const reading = readings[0];
  if (!reading) throw new Error(`nothing was read of ${user}`);
  const { window, overflow, nextFrom } = snapshot;
  const allThere = nextFrom === undefined;
  return {
    session: snapshot.fields ?? reading.fields ?? null,
    ...(snapshot.leftOut.length > 0 && { too_large: snapshot.leftOut }),
    expires_at: instantOrNull(reading.expiresAt),
    window: saidOf(window, allThere, text),
    overflow: saidOf(overflow, reading.overflow === overflow.length, text, reading.overflow),
    opted_out_at: instantOrNull(reading.optedOutAt),
    erased_at: instantOrNull(snapshot.erasedAt),
    problem: reading.problem ?? reading.ledger?.problem ?? null,
    next_look: instantOrNull(place.dueAt),
    leased_until: instantOrNull(place.leasedUntil),
    ledger: reading.ledger ?? null,
    pending: reading.pending,
  };
}

/** Messages of the hot tier: how many, and a page of them. */
interface Said {
  /** Null: more than a page, and nobody has counted. */
  readonly count: number | null;
  readonly messages: readonly MessageView[];
}

function saidOf(
  messages: Snapshot['window'],
  allThere: boolean,
  text: boolean,
  count: number | null = allThere ? messages.length : null,
): Said {
  return { count, messages: messages.map((one) => messageOf(one, text)) };
}

function counted({ count, messages }: Said): string {
  if (count === null) return `more than ${many(messages.length, 'message')}`;
  return many(count, 'message');
}

function many(count: number, what: string): string {
  return `${String(count)} ${what}${count === 1 ? '' : 's'}`;
}

/** What the queue of demotions holds of the user. */
async function demotionOf(user: string, config: Config): Promise<Json> {
  const jobs = await openJobs(config, silentLogger);
  try {
    const { state, dead } = await jobs.inspect(DEMOTION, user);
    return {
      job: state ?? null,
      dead: dead ? { reason: dead.reason, attempts: dead.attempts, at: instantOf(dead.at) } : null,
    };
  } catch (error) {
    return { problem: errorMessage(error) };
  } finally {
    await jobs.stop(AbortSignal.abort());
  }
}

async function warmOf(
  user: string,
  config: Config,
  { clock }: Hot,
  text: boolean,
): Promise<WarmView> {
  const file = warmFile(config);
  try {
    const warm = await openStandingWarm(config, clock);
    if (!warm) return { file, problem: 'there is no such file: nothing was demoted from here' };
    return await lookIntoWarm(user, file, warm, text).finally(() => warm.close());
  } catch (error) {
    return { file, problem: errorMessage(error) };
  }
}

/** A line for each session, for the headers of a year would be pages. */
function warmRows(warm: WarmView): string[][] {
  if ('problem' in warm) return rowsOf(warm, 'warm');
  const { sessions, segments, messages, latest, ...rest } = warm;
  const said = `${many(messages.length, 'message')} in ${many(segments, 'segment')}`;
  return [
    ...rowsOf({ ...rest, messages: said }, 'warm'),
    ...rowsOf({ latest }, 'warm'),
    ...sessions.map(({ epoch, ours, messages: count, hash, cart, expires_at }) => [
      `warm.session.${epoch}`,
      [
        many(count, 'message'),
        ...(cart ? [`cart of ${String(cart.items)} worth ${String(cart.value)}`] : []),
        ...(ours ? [] : [`others', until ${expires_at ?? 'they delete it'}`]),
        `hash ${hash || 'none'}`,
      ].join(', '),
    ]),
  ];
}

/** What was said, the oldest first: warm, then what of hot is not there yet. */
function saidRows(reports: readonly Report[], warm: WarmView): string[][] {
  const row =
    (tier: string) =>
    ({ at, role, text }: MessageView): string[] => [tier, at ?? '', role, text ?? ''];
  return [
    ...('problem' in warm ? [] : warm.messages.map(row('warm'))),
    ...reports.flatMap(({ overflow, window }) => [
      ...overflow.messages.map(row('overflow')),
      ...window.messages.map(row('window')),
    ]),
  ];
}

function instantOrNull(at: number | undefined): string | null {
  return at === undefined ? null : instantOf(at);
}

/** `ledger.episode.openedAt  2026-…`, one row a leaf; instants are shown as such. */
function rowsOf(value: unknown, path = ''): string[][] {
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value);
    if (entries.length === 0) return [[path, 'none']];
    return entries.flatMap(([key, inner]) => rowsOf(inner, path === '' ? key : `${path}.${key}`));
  }
  if (value === null) return [[path, 'none']];
  if (typeof value === 'string') return [[path, value]];
  const instant = typeof value === 'number' && /(At|at|lastEpisode|life)$/.test(path) && value > 0;
  return [[path, instant ? instantOf(value) : JSON.stringify(value)]];
}
