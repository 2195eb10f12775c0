/**
 * An erasure goes in steps, each a request of its own:
 *
 *   open    a document in `!open` names the partition, for a sweep to find should nobody come back
 *   begin   the head says up to when, and that it is unfinished: writes are refused, reads see nothing of what is older
 *   some    so many entries and parts go, again and again
 *   finish  the head says so, unless another erasure has begun; the document in `!open` goes
 */
import type { Head, OpenDocument } from './document.ts';
import { OPEN_PARTITION, RANK } from './document.ts';
import { changeHead, erasedUpTo, hiddenUpTo } from './heads.ts';
import { sweepParts } from './parts.ts';
import { Conditions } from './query.ts';
import { removeAsRead } from './removal.ts';
import type { Ground } from './ground.ts';

/** Documents that one step removes. */
const AT_ONCE = 100;

/** Who began something so long ago, by the store's clock, is not at it any more: no call goes on for as long. */
const LEFT_ALONE_MS = 10 * 60_000;

/** @returns how many entries went */
export async function eraseEntries(
  ground: Ground,
  erasedAt: number,
  forgetAt: number,
): Promise<number> {
  const { call, heads, partition, clock } = ground;
  const now = clock.now();
  const id = `${partition}!erasure`;
  const open: OpenDocument = { id, owner: OPEN_PARTITION, partition, what: 'erasure', at: now };
  await call.upsert(open);
  // One whose time is up counts no more.
  const begun = (head: Head): Head => {
    const standing = erasedUpTo(head, now);
    const next = {
      ...head,
      erasedAt: Math.max(erasedAt, standing ?? erasedAt),
      forgetAt: Math.max(forgetAt, head.forgetAt ?? forgetAt),
      unfinished: true,
    };
    const isSo =
      head.unfinished && head.erasedAt === next.erasedAt && head.forgetAt === next.forgetAt;
    return isSo ? head : next;
  };
  const head = await changeHead(call, heads, partition, begun, now);
  const removed = await eraseAll(ground, hiddenUpTo(head) ?? erasedAt);
  await finish(ground, head.revision);
  return removed;
}

async function eraseAll(ground: Ground, upTo: number): Promise<number> {
  let total = 0;
  for (;;) {
    const { removed, more } = await eraseSome(ground, upTo);
    total += removed;
    if (!more) return total;
  }
}

async function eraseSome(
  { call, partition }: Ground,
  upTo: number,
): Promise<{ readonly removed: number; readonly more: boolean }> {
  const asked = new Conditions()
    .add(`c.rank IN (${RANK.entry}, ${RANK.part})`)
    .add('c.entry.timestamp <= ?', upTo);
  const going = await call.query<{
    readonly id: string;
    readonly etag: string;
    readonly rank: number;
  }>(
    asked.spec((conditions) => `SELECT c.id, c._etag AS etag, c.rank FROM c WHERE ${conditions}`),
    { partition, pageSize: AT_ONCE, limit: AT_ONCE },
  );
  if (going.length === 0) return { removed: 0, more: false };
  // As they were read: what is written anew in between is not older any more. Two who erase at once try again.
  if (!(await removeAsRead(call, partition, going))) return { removed: 0, more: true };
  const removed = going.filter(({ rank }) => rank === RANK.entry).length;
  return { removed, more: going.length === AT_ONCE };
}

async function finish({ call, heads, partition, clock }: Ground, revision: number): Promise<void> {
  const head = await changeHead(
    call,
    heads,
    partition,
    (standing) =>
      standing.revision === revision && standing.unfinished
        ? { ...standing, unfinished: false }
        : standing,
    clock.now(),
  );
  // Another that has begun since ends it.
  if (!head.unfinished) await call.remove(OPEN_PARTITION, `${partition}!erasure`);
}

/**
 * Goes on with what was begun and not ended, for a while at the most.
 * @returns how many documents went; 0: there is nothing left to do
 */
export async function sweepOpen(
  groundOf: (partition: string) => Ground,
  { call, clock }: Pick<Ground, 'call' | 'clock'>,
): Promise<number> {
  const opened = await call.query<OpenDocument>(
    { query: 'SELECT * FROM c' },
    { partition: OPEN_PARTITION },
  );
  for (const open of opened) {
    const ground = groundOf(open.partition);
    const isLeft = open.at <= clock.now() - LEFT_ALONE_MS;
    const removed =
      open.what === 'erasure'
        ? await endErasure(ground, isLeft)
        : isLeft
          ? await sweepParts(call, open.partition)
          : undefined;
    if (removed === undefined) continue;
    if (removed > 0) return removed;
    await call.remove(OPEN_PARTITION, open.id);
  }
  return 0;
}

/** @returns how many entries went; undefined: it may just be beginning */
async function endErasure(ground: Ground, isLeft: boolean): Promise<number | undefined> {
  const { call, heads, partition } = ground;
  const head = await heads.read(call, partition);
  const upTo = hiddenUpTo(head);
  if (upTo === undefined) return isLeft ? 0 : undefined;
  for (;;) {
    const { removed, more } = await eraseSome(ground, upTo);
    if (removed > 0) return removed;
    // Nothing went, and something is left: another was at it.
    if (more) continue;
    await finish(ground, head.revision);
    return 0;
  }
}
