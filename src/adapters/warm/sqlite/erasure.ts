import { hash } from 'node:crypto';
import type { Database } from './database.ts';
import { AT_MOST } from './query.ts';
import { deleteRow } from './row.ts';

/** Entries that one step of an erasure removes: 50 of 2 KB took 4 ms, half of it for the disk. */
const ERASED_AT_ONCE = 50;

/**
 * An erasure goes in steps, each a transaction of its own:
 *
 *   begin   the tombstone stands and names the owner as unfinished: writes are refused, reads see nothing of it
 *   some    so many entries go, again and again
 *   (some)  none is left: the tombstone names nobody any more
 *
 * A process that dies in between leaves an unfinished tombstone, which stays in force whatever its time, until the
 * erasure is repeated or a sweep ends it.
 */
export function beginErasure(
  database: Database,
  agentId: string,
  { erasedAt, forgetAt, now }: { erasedAt: number; forgetAt: number; now: number },
): void {
  // One whose time is up counts no more, swept or not.
  database.run(
    `INSERT INTO tombstone (owner, erased_at, forget_at, unfinished) VALUES (?, ?, ?, ?)
     ON CONFLICT (owner) DO UPDATE SET
       erased_at = iif(forget_at > ? OR unfinished IS NOT NULL, max(erased_at, excluded.erased_at), excluded.erased_at),
       forget_at = max(forget_at, excluded.forget_at),
       unfinished = excluded.unfinished`,
    [digestOf(agentId), erasedAt, forgetAt, agentId, now],
  );
}

/** Removes some of what an unfinished erasure has left. */
export function eraseSome(
  database: Database,
  agentId: string,
): { readonly removed: number; readonly finished: boolean } {
  const rows = database.all(
    `SELECT version FROM entry
     WHERE owner = ? AND timestamp <= (SELECT erased_at FROM tombstone WHERE unfinished = ?) ${AT_MOST}`,
    [agentId, agentId, ERASED_AT_ONCE],
  );
  for (const row of rows) deleteRow(database, Number(row['version']));
  const finished = rows.length < ERASED_AT_ONCE;
  if (finished)
    database.run('UPDATE tombstone SET unfinished = NULL WHERE unfinished = ?', [agentId]);
  return { removed: rows.length, finished };
}

/** Goes on with erasures that nobody ended. @returns how many entries went; 0: none is left */
export function eraseLeftovers(database: Database): number {
  for (;;) {
    const [row] = database.all(
      'SELECT unfinished FROM tombstone WHERE unfinished IS NOT NULL LIMIT 1',
      [],
    );
    if (!row) return 0;
    const { removed } = eraseSome(database, String(row['unfinished']));
    if (removed > 0) return removed;
  }
}

/** Up to when an owner is erased, for whoever writes. */
export function erasedAtOf(database: Database, agentId: string, now: number): number | undefined {
  const [row] = database.all(
    'SELECT erased_at FROM tombstone WHERE owner = ? AND (forget_at > ? OR unfinished IS NOT NULL)',
    [digestOf(agentId), now],
  );
  return row && Number(row['erased_at']);
}

export function forgetErasures(database: Database, now: number): void {
  database.run('DELETE FROM tombstone WHERE forget_at <= ? AND unfinished IS NULL', [now]);
}

/** An owner that was erased is not named. */
export function digestOf(agentId: string): string {
  return hash('sha256', agentId, 'hex');
}
