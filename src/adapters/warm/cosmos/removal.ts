/** Removals of one owner: what stands is read, and removed as it was read. */
import type { OperationInput } from '@azure/cosmos';
import type { EntryRemoval, RemovalOutcome } from '../../../ports/warm.ts';
import { nameOf } from './document.ts';
import { openParts, partNames, removeParts } from './parts.ts';
import type { Call } from './requests.ts';
import { type Standing, standingOf } from './standing.ts';
import { CHANGED } from './trouble.ts';
import type { Ground } from './ground.ts';

/** As many operations as a batch has. */
const AT_ONCE = 100;

export async function removeEntries(
  ground: Ground,
  removals: readonly EntryRemoval[],
): Promise<RemovalOutcome[]> {
  const outcomes: RemovalOutcome[] = [];
  for (let from = 0; from < removals.length; from += AT_ONCE)
    outcomes.push(...(await removeSome(ground, removals.slice(from, from + AT_ONCE))));
  return outcomes;
}

async function removeSome(
  ground: Ground,
  removals: readonly EntryRemoval[],
): Promise<RemovalOutcome[]> {
  const { call, heads, partition, clock } = ground;
  const wanted = removals.map(({ memoryId, expected }) => ({ name: nameOf(memoryId), expected }));
  const names = [...new Set(wanted.map(({ name }) => name))];
  for (let round = 1; ; round += 1) {
    const { standing } = await standingOf(call, heads, partition, names, clock.now());
    const removed = new Map<string, Standing>();
    const outcomes = wanted.map(({ name, expected }): RemovalOutcome => {
      const stands = standing.get(name);
      if (!stands?.there || removed.has(name)) return 'gone';
      if (expected !== undefined && stands.version !== expected) return 'conflict';
      removed.set(name, stands);
      return 'removed';
    });
    const going = [...removed.values()];
    if (going.length === 0 || (await removedAll(ground, going))) return outcomes;
    if (round > 3) await call.pause(round, 'is written to by others again and again');
  }
}

async function removedAll(
  { call, partition, clock }: Ground,
  going: readonly Standing[],
): Promise<boolean> {
  const parts = going.flatMap(({ id, version, partCount }) => partNames(id, version, partCount));
  const done =
    parts.length > 0
      ? await openParts(call, partition, going[0]?.version ?? '', clock.now())
      : undefined;
  const all = await removeAsRead(call, partition, going);
  if (all) await removeParts(call, partition, parts);
  await done?.();
  return all;
}

/** Removes documents if all of them are as they were read; else none. */
export async function removeAsRead(
  call: Call,
  partition: string,
  documents: readonly { readonly id: string; readonly etag: string }[],
): Promise<boolean> {
  const operations = documents.map(
    ({ id, etag }): OperationInput & { readonly ifMatch: string } => ({
      operationType: 'Delete',
      id,
      ifMatch: etag,
    }),
  );
  for (let failures = 1; ; failures += 1) {
    const outcome = await call.batch(partition, operations, async () => {
      const names = documents.map(({ id }) => id);
      return (await namesLeft(call, partition, names)) === 0;
    });
    if ('done' in outcome) return true;
    if (CHANGED.has(outcome.status)) return false;
    await call.pauseOver(outcome, failures);
  }
}

async function namesLeft(call: Call, partition: string, names: readonly string[]): Promise<number> {
  const marks = names.map((_name, index) => `@n${index}`);
  const [left = 0] = await call.query<number>(
    {
      query: `SELECT VALUE COUNT(1) FROM c WHERE c.id IN (${marks.join(', ')})`,
      parameters: names.map((value, index) => ({ name: `@n${index}`, value })),
    },
    { partition },
  );
  return left;
}
