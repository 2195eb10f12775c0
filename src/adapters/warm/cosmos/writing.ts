/**
 * Writes of one owner. A batch is tried under what is known, and where it is refused, what stands is read, once for all of
 * the batch, and the rest is tried again under that:
 *
 *   judge by erasures ─▶ batch: guard, writes ─▶ written
 *          ▲                     │ refused
 *          └── read what stands ◀┘
 */
import type { OperationInput, PatchOperation } from '@azure/cosmos';
import { WarmUnavailableError } from '../../../model/errors.ts';
import {
  ABSENT,
  type EntryWrite,
  type PutOptions,
  type WriteOutcome,
} from '../../../ports/warm.ts';
import { type EntryDocument, storedEntry } from './document.ts';
import { type SeenHead, changeHead, erasedUpTo, guardOf, hiddenUpTo } from './heads.ts';
import { openParts, partNames, removeParts } from './parts.ts';
import type { Ground } from './ground.ts';
import { getEntries } from './reading.ts';
import type { Refusal } from './requests.ts';
import { standingOf } from './standing.ts';
import { CHANGED, passes } from './trouble.ts';
import { type Job, fitted, groupsOf, jobOf } from './write-job.ts';

/** One entry that is refused so often, though others are not, has failed. */
const TRIES = 3;

/** @returns an outcome for each, in their order */
export async function putEntries(
  ground: Ground,
  writes: readonly EntryWrite[],
  { together = false, readBack = false }: PutOptions,
): Promise<WriteOutcome[]> {
  const jobs = writes.map((write) => jobOf(ground.partition, write, ground.clock.now()));
  const groups = together ? [fitted(jobs)] : groupsOf(jobs);
  try {
    for (const group of groups) await putGroup(ground, group, together);
  } catch (error) {
    const away = error instanceof WarmUnavailableError;
    if (!away || !jobs.some(({ outcome }) => outcome?.outcome === 'written')) throw error;
    // Some stand: that must be told.
    for (const job of jobs)
      job.outcome ??= { outcome: 'failed', retryable: true, reason: error.message };
  }
  if (readBack) await readBackAll(ground, jobs);
  return jobs.map(({ outcome }) => outcome ?? UNTOUCHED);
}

/** What the service answered a batch with is what stands since; what that did not show is read. */
async function readBackAll(ground: Ground, jobs: readonly Job[]): Promise<void> {
  const unseen: Job[] = [];
  for (const job of jobs) {
    if (job.outcome?.outcome !== 'written') continue;
    const { version, entry } = job.answered ?? {};
    if (job.answered && entry?.texts && version === job.version)
      job.outcome = { ...job.outcome, stands: storedEntry(job.answered, entry.texts).entry };
    else unseen.push(job);
  }
  if (unseen.length === 0) return;
  const names = unseen.map(({ write }) => write.entry.memoryId);
  try {
    const found = new Map((await getEntries(ground, names)).map((one) => [one.version, one.entry]));
    for (const job of unseen)
      if (job.outcome?.outcome === 'written')
        job.outcome = { ...job.outcome, stands: found.get(job.version) };
  } catch (error) {
    // That they are written must be told.
    if (!(error instanceof WarmUnavailableError)) throw error;
  }
}

const UNTOUCHED: WriteOutcome = { outcome: 'withheld' };

async function putGroup(ground: Ground, jobs: readonly Job[], together: boolean): Promise<void> {
  const leftovers = new Leftovers(ground, jobs);
  await leftovers.writeParts();
  for (let round = 1; ; round += 1) {
    const head = await judgedByHead(ground, jobs);
    const live = jobs.filter(({ outcome }) => !outcome);
    if (live.length === 0 || (together && live.length < jobs.length)) break;
    if (head.parts && live.some(({ standing }) => standing === undefined)) {
      // What is replaced may leave parts behind.
      if (await judgedByStanding(ground, live)) break;
      continue;
    }
    if (live.some(({ standing }) => standing && standing.partCount > 0)) await leftovers.open();
    const operations = [
      guardOf(ground.partition, head),
      ...live.map((job) => operationOf(job, head, ground.clock.now())),
    ];
    const outcome = await ground.call.batch(ground.partition, operations, () =>
      tookEffect(ground, live),
    );
    if ('done' in outcome) {
      ground.heads.note(ground.partition, head);
      for (const [index, job] of live.entries()) {
        job.outcome = { outcome: 'written', version: job.version };
        // Behind the guard's.
        job.answered = outcome.done[index + 1] as EntryDocument | undefined;
      }
      break;
    }
    await refused(ground, live, outcome, round);
  }
  await leftovers.remove();
}

/** Refuses what is older than an erasure. Such a refusal rests on the head as it is, and not as it was seen some time. */
async function judgedByHead(ground: Ground, jobs: readonly Job[]): Promise<SeenHead> {
  const { call, heads, partition, clock } = ground;
  const old = (head: SeenHead): { job: Job; erasedAt: number }[] => {
    const erasedAt = erasedUpTo(head, clock.now()) ?? -Infinity;
    return jobs.flatMap((job) =>
      !job.outcome && job.write.entry.timestamp <= erasedAt ? [{ job, erasedAt }] : [],
    );
  };
  const last = heads.last(partition);
  if (old(last).length === 0) return last;
  const head = await heads.read(call, partition);
  for (const { job, erasedAt } of old(head)) job.outcome = { outcome: 'erased', erasedAt };
  return head;
}

/** Learns why a batch was refused. */
async function refused(
  ground: Ground,
  live: readonly Job[],
  { index, status, retryAfterMs }: Refusal,
  round: number,
): Promise<void> {
  const { call, heads, partition } = ground;
  const job = live[index - 1];
  if (CHANGED.has(status)) {
    // Of the guard or of a write: the head comes along with what stands. Only those who race for long wait.
    if (round > 3) await call.pause(round, 'is written to by others again and again');
    if (!job && status === 404) heads.note(partition, undefined);
    else await judgedByStanding(ground, job ? live : []);
    return;
  }
  if (!job || passes(status)) {
    if (!job || (job.failures += 1) < TRIES) {
      await call.pause(job?.failures ?? round, `answered ${status}`, retryAfterMs);
      return;
    }
  }
  job.outcome = {
    outcome: 'failed',
    retryable: passes(status),
    reason: `Cosmos DB answered ${status} for this one`,
  };
}

/** Judges by what stands. @returns true if it shows that all of them are written */
async function judgedByStanding(ground: Ground, live: readonly Job[]): Promise<boolean> {
  const { call, heads, partition, clock } = ground;
  const names = live.map(({ document }) => document.id);
  const { standing } = await standingOf(call, heads, partition, names, clock.now());
  const isOurs = (job: Job): boolean => standing.get(job.document.id)?.version === job.version;
  if (live.some(isOurs)) {
    // A batch is done whole: the answer to an earlier try was lost.
    for (const job of live) job.outcome = { outcome: 'written', version: job.version };
    return true;
  }
  for (const job of live) {
    const stands = standing.get(job.document.id);
    const { expected } = job.write;
    const seen = stands?.there ? stands.version : undefined;
    if (expected !== undefined && seen !== (expected === ABSENT ? undefined : expected))
      job.outcome = { outcome: 'conflict', version: seen };
    job.standing = stands ?? null;
  }
  return false;
}

async function tookEffect(ground: Ground, live: readonly Job[]): Promise<boolean> {
  const { call, heads, partition, clock } = ground;
  const names = live.map(({ document }) => document.id);
  const { standing } = await standingOf(call, heads, partition, names, clock.now());
  return live.some(({ document, version }) => standing.get(document.id)?.version === version);
}

function operationOf(job: Job, head: SeenHead, now: number): OperationInput {
  const { document, standing } = job;
  const { expected } = job.write;
  const body = { ...document, embedding: document.embedding } as never;
  if (standing === null || (standing === undefined && expected === ABSENT))
    return { operationType: 'Create', resourceBody: body };
  if (standing === undefined && typeof expected !== 'string')
    return { operationType: 'Upsert', resourceBody: body };
  const version = standing?.version ?? String(expected);
  // What has expired, or is being erased, is not there for whoever expects it.
  const there =
    standing === undefined
      ? ` AND c.entry.expiresAt > ${now} AND c.entry.timestamp > ${hiddenUpTo(head) ?? -(2 ** 53)}`
      : '';
  const { ttl, recalls, accessedAt, embedding, entry } = document;
  const steps = { version: job.version, ttl, recalls, accessedAt, embedding, entry };
  return {
    operationType: 'Patch',
    id: document.id,
    resourceBody: {
      condition: `FROM c WHERE c.version = ${JSON.stringify(version)}${there}`,
      operations: Object.entries(steps).map(
        ([name, value]): PatchOperation => ({ op: 'set', path: `/${name}`, value }),
      ),
    },
  };
}

/** Parts that this put writes, or leaves behind where it replaces what has some. */
class Leftovers {
  readonly #ground: Ground;
  readonly #jobs: readonly Job[];
  #done: (() => Promise<void>) | undefined;

  constructor(ground: Ground, jobs: readonly Job[]) {
    this.#ground = ground;
    this.#jobs = jobs;
  }

  /** Says that there may be some, before there are. */
  async open(): Promise<void> {
    const { call, partition, clock } = this.#ground;
    this.#done ??= await openParts(call, partition, this.#jobs[0]?.version ?? '', clock.now());
  }

  async writeParts(): Promise<void> {
    const { call, heads, partition, clock } = this.#ground;
    const parts = this.#jobs.flatMap((job) => (job.outcome ? [] : job.parts));
    if (parts.length === 0) return;
    await changeHead(
      call,
      heads,
      partition,
      (head) => (head.parts ? head : { ...head, parts: true }),
      clock.now(),
    );
    await this.open();
    for (const part of parts) await call.upsert(part);
  }

  /** Removes those that nobody names any more. */
  async remove(): Promise<void> {
    if (!this.#done) return;
    const { call, partition } = this.#ground;
    const names = this.#jobs.flatMap(({ outcome, parts, standing, document }) => {
      if (outcome?.outcome !== 'written') return parts.map(({ id }) => id);
      return standing ? partNames(document.id, standing.version, standing.partCount) : [];
    });
    try {
      await removeParts(call, partition, names);
      await this.#done();
    } catch (error) {
      // What was written stands; the rest is swept.
      if (!(error instanceof WarmUnavailableError)) throw error;
    }
  }
}
