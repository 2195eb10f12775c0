import { Command } from 'commander';
import { DEMOTION } from '../abandonment/demotion.ts';
import { openStandingWarm, warmPlace } from '../compose-warm.ts';
import { type Hot, openHot, openJobs } from '../compose.ts';
import type { Config } from '../config.ts';
import { errorMessage } from '../model/errors.ts';
import { isoInstant } from '../model/instant.ts';
import type { SessionName } from '../model/session-names.ts';
import type { Jobs } from '../ports/jobs.ts';
import type { Snapshot } from '../ports/records.ts';
import { silentLogger } from '../runtime/logger.ts';
import { columns, configOf, printJson, printLines, withSettings } from './context.ts';
import { type ColdView, lookIntoCold } from './inspect-cold.ts';
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
      'Show what is known of one user in every tier: sessions, agenda, ledger, demotion, warm, cold.',
    )
    .argument('<user>', 'the user id, as in the session key')
    .option('--session <id>', 'only this one, where one user has several')
    .option('--json', 'print JSON, with the id, role and instant of each message')
    .option('--text', 'show what was said, too')
    .addHelpText('after', '\nExample:\n  rekindle inspect 4711 --json');
  withSettings(command);
  return command.action(async (user: string, { session, json, text = false }: Options) => {
    const config = await configOf(command);
    await using opened = new AsyncDisposableStack();
    const hot = await openHot(config);
    opened.defer(() => hot.close());
    const refs = await refsOf(hot, user, session);
    const jobs = await openJobs(config, silentLogger);
    opened.defer(() => jobs.stop(AbortSignal.abort()));
    const [reports, warm, cold] = await Promise.all([
      Promise.all(refs.map((ref) => reportOf(hot, jobs, ref, text))),
      warmOf({ user, session }, config, hot, text),
      lookIntoCold(user, config, hot.clock, text),
    ]);
    const { several } = hot.sessions.names;
    const now = isoInstant(hot.clock.now());
    if (json)
      printJson({ ...(several ? { user, sessions: reports } : reports[0]), warm, cold, now });
    else {
      for (const report of reports) {
        const { window, overflow } = report;
        const shown = { ...report, window: counted(window), overflow: counted(overflow) };
        printLines([...columns(rowsOf(shown)), '']);
      }
      if (several) printLines([`${many(reports.length, 'session')} in Redis`, '']);
      printLines(columns([...warmRows(warm), ...coldRows(cold), ['now', now]]));
      if (text) printLines(['', ...columns(saidRows(reports, warm))]);
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

type Report = Json & { readonly window: Messages; readonly overflow: Messages };

/** Session, agenda, ledger and queue. */
async function reportOf(hot: Hot, jobs: Jobs, ref: string, text: boolean): Promise<Report> {
  const { ledgers, agenda, records, clock, sessions } = hot;
  const [readings, place, snapshot, demotion] = await Promise.all([
    ledgers.read([ref], clock.now()),
    agenda.inspect(ref),
    records.snapshot(ref),
    demotionOf(jobs, ref),
  ]);
  const reading = readings[0];
  if (!reading) throw new Error(`nothing was read of ${ref}`);
  const { user, session } = sessions.names.nameOf(ref);
  const { window, overflow, nextFrom } = snapshot;
  return {
    user,
    ...(session !== undefined && { session_id: session }),
    key: sessions.keyOf(ref),
    session: snapshot.fields ?? reading.fields ?? null,
    ...(snapshot.leftOut.length > 0 && { too_large: snapshot.leftOut }),
    expires_at: instantOrNull(reading.expiresAt),
    window: messagesOf(window, nextFrom === undefined ? window.length : null, text),
    overflow: messagesOf(overflow, reading.overflow, text),
    opted_out_at: instantOrNull(reading.optedOutAt),
    ...(reading.optedOutOf && { opted_out_of: channelsOf(reading.optedOutOf) }),
    ...(reading.contactedAt.length > 0 && { contacted_at: reading.contactedAt.map(instantOrNull) }),
    ...(reading.notes.length > 0 && { notes: reading.notes }),
    erased_at: instantOrNull(snapshot.erasedAt),
    problem: reading.problem ?? reading.ledger?.problem ?? null,
    next_look: instantOrNull(place.dueAt),
    leased_until: instantOrNull(place.leasedUntil),
    ledger: reading.ledger ?? null,
    pending: reading.pending,
    demotion,
  };
}

function channelsOf(optedOutOf: ReadonlyMap<string, number>): Json {
  return Object.fromEntries([...optedOutOf].map(([channel, at]) => [channel, instantOrNull(at)]));
}

/** Messages of the hot tier: how many, and a page of them. */
interface Messages {
  /** Null: more than a page, and nobody has counted. */
  readonly count: number | null;
  readonly messages: readonly MessageView[];
}

function messagesOf(page: Snapshot['window'], count: number | null, text: boolean): Messages {
  return { count, messages: page.map((one) => messageOf(one, text)) };
}

function counted({ count, messages }: Messages): string {
  if (count === null) return `more than ${many(messages.length, 'message')}`;
  return many(count, 'message');
}

function many(count: number, what: string): string {
  return `${String(count)} ${what}${count === 1 ? '' : 's'}`;
}

/** What the queue of demotions holds of a session. */
async function demotionOf(jobs: Jobs, ref: string): Promise<Json> {
  try {
    const { state, dead } = await jobs.inspect(DEMOTION, ref);
    return {
      job: state ?? null,
      dead: dead ? { reason: dead.reason, attempts: dead.attempts, at: instantOf(dead.at) } : null,
    };
  } catch (error) {
    return { problem: errorMessage(error) };
  }
}

async function warmOf(
  name: SessionName,
  config: Config,
  { clock }: Hot,
  text: boolean,
): Promise<WarmView> {
  const place = warmPlace(config);
  try {
    const warm = await openStandingWarm(config, clock);
    if (!warm) return { place, problem: 'there is no such file: nothing was demoted from here' };
    return await lookIntoWarm(name, place, warm, text).finally(() => warm.close());
  } catch (error) {
    return { place, problem: errorMessage(error) };
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
    ...sessions.map(({ epoch, session_id, ours, messages: count, hash, cart, expires_at }) => [
      `warm.session.${epoch}${session_id === undefined ? '' : `.${session_id}`}`,
      [
        many(count, 'message'),
        ...(cart ? [`cart of ${String(cart.items)} worth ${String(cart.value)}`] : []),
        ...(ours ? [] : [`others', until ${expires_at ?? 'they delete it'}`]),
        `hash ${hash || 'none'}`,
      ].join(', '),
    ]),
  ];
}

/** A line for each insight. */
function coldRows(cold: ColdView): string[][] {
  if ('problem' in cold) return rowsOf(cold, 'cold');
  const { insights, ...rest } = cold;
  return [
    ...rowsOf({ ...rest, insights: insights.length }, 'cold'),
    ...insights.map(({ id, kind, support, last, text }) => [
      `cold.insight.${id}`,
      `${kind}, ${many(support, 'conversation')}, last ${last}${text === undefined ? '' : `: ${text}`}`,
    ]),
  ];
}

/** What was said, tier by tier, the oldest first; what is in both stands in both. */
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
