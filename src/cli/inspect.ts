import { Command } from 'commander';
import { openHot } from '../compose.ts';
import { UsageError } from '../model/errors.ts';
import { LATEST_ISO_MS, isoInstant } from '../model/instant.ts';
import { userIdProblem } from '../model/user-id.ts';
import { columns, configOf, printJson, printLines, withSettings } from './context.ts';

/** `rekindle inspect USER` */
export function inspectCommand(): Command {
  const command = new Command('inspect')
    .description(
      'Show what is known of one user: session, agenda, lease, ledger and pending events.',
    )
    .argument('<user>', 'the user id, as in the session key')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  rekindle inspect 4711 --json');
  withSettings(command);
  return command.action(async (user: string, { json }: { json?: boolean }) => {
    const impossible = userIdProblem(user);
    if (impossible) throw new UsageError(impossible.detail);
    const hot = await openHot(configOf(command));
    try {
      const now = hot.clock.now();
      const [readings, agenda] = await Promise.all([
        hot.ledgers.read([user], now),
        hot.agenda.inspect(user),
      ]);
      const reading = readings[0];
      if (!reading) throw new Error(`nothing was read of ${user}`);
      const report = {
        user,
        key: hot.sessions.keyOf(user),
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
      if (json) printJson(report);
      else printLines(columns(rowsOf(report)));
    } finally {
      await hot.close();
    }
  });
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
