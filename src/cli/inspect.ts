import { Command } from 'commander';
import { type Hot, openHot } from '../compose.ts';
import { LATEST_ISO_MS, isoInstant } from '../model/instant.ts';
import { columns, configOf, printJson, printLines, withSettings } from './context.ts';

/** `rekindle inspect USER` */
export function inspectCommand(): Command {
  const command = new Command('inspect')
    .description(
      'Show what is known of one user: of each session agenda, lease, ledger and pending events.',
    )
    .argument('<user>', 'the user id, as in the session key')
    .option('--session <id>', 'only this one, where one user has several')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  rekindle inspect 4711 --json');
  withSettings(command);
  return command.action(
    async (user: string, { session, json }: { session?: string; json?: boolean }) => {
      const hot = await openHot(configOf(command));
      try {
        const { several } = hot.sessions.names;
        const reports = await Promise.all(
          (await refsOf(hot, user, session)).map((ref) => reportOf(hot, ref)),
        );
        if (json) printJson(several ? { user, sessions: reports } : reports[0]);
        else {
          for (const report of reports)
            printLines([...columns(rowsOf(report)), ...(several ? [''] : [])]);
          if (several) printLines([`${String(reports.length)} sessions`]);
        }
      } finally {
        await hot.close();
      }
    },
  );
}

/** The session that was named, or all that the user has: several are found by a pass over all keys. */
async function refsOf(hot: Hot, user: string, session?: string): Promise<readonly string[]> {
  const { names } = hot.sessions;
  if (session !== undefined) return [names.refOf({ user, session })];
  const alone = names.userRef(user);
  const all = await hot.records.sessionsOf(user);
  return names.several ? all.filter((ref) => ref !== alone).toSorted() : all;
}

async function reportOf(hot: Hot, ref: string): Promise<Record<string, unknown>> {
  const now = hot.clock.now();
  const [readings, agenda] = await Promise.all([
    hot.ledgers.read([ref], now),
    hot.agenda.inspect(ref),
  ]);
  const reading = readings[0];
  if (!reading) throw new Error(`nothing was read of ${ref}`);
  const { user, session } = hot.sessions.names.nameOf(ref);
  return {
    user,
    ...(session !== undefined && { session_id: session }),
    key: hot.sessions.keyOf(ref),
    session: reading.fields ?? null,
    expires_at: instantOrNull(reading.expiresAt),
    opted_out_at: instantOrNull(reading.optedOutAt),
    problem: reading.problem ?? reading.ledger?.problem ?? null,
    next_look: instantOrNull(agenda.dueAt),
    leased_until: instantOrNull(agenda.leasedUntil),
    ledger: reading.ledger ?? null,
    pending: reading.pending,
    now: isoInstant(now),
  };
}

function instantOrNull(at: number | undefined): string | null {
  return at === undefined ? null : instantOf(at);
}

/** Somebody may have written there what is no date. */
function instantOf(at: number): string {
  return Math.abs(at) <= LATEST_ISO_MS ? isoInstant(at) : String(at);
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
