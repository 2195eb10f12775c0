/** Writes as they are sent: what fits into a document, and which of them into one batch. */
import { randomUUID } from 'node:crypto';
import type { EntryWrite, WriteOutcome } from '../../../ports/warm.ts';
import { type EntryDocument, type PartDocument, type Texts, entryDocument } from './document.ts';
import { spilled } from './parts.ts';
import type { Standing } from './standing.ts';

/** Of a batch the service takes 100 operations, one of which is the guard. */
const WRITES_MAX = 99;

/** It takes 2 MB of a request; the rest is for what is around the documents. */
const BATCH_BYTES = 1_800_000;

/** A document that is larger keeps its texts in parts; the service takes 2 MB. */
const WHOLE_BYTES = 1_500_000;

/** One write, on its way. */
export interface Job {
  readonly write: EntryWrite;
  readonly version: string;
  document: EntryDocument;
  bytes: number;
  parts: readonly PartDocument[];
  /** What stands there, `null` if nothing does; undefined: nobody has looked. */
  standing: Standing | null | undefined;
  failures: number;
  /** The document as the service gave it back. */
  answered: EntryDocument | undefined;
  outcome: WriteOutcome | undefined;
}

export function jobOf(partition: string, write: EntryWrite, now: number): Job {
  const version = randomUUID();
  const whole = entryDocument(partition, write.entry, version, write.expiresAt, now);
  const job: Job = {
    write,
    version,
    document: whole,
    bytes: bytesOf(whole),
    parts: [],
    standing: undefined,
    failures: 0,
    answered: undefined,
    outcome: undefined,
  };
  return job.bytes > WHOLE_BYTES ? spill(job) : job;
}

function spill(job: Job): Job {
  const { document } = job;
  if (document.entry.texts === undefined) return job;
  const { head, parts } = spilled(document as EntryDocument & { entry: { texts: Texts } });
  Object.assign(job, { document: head, parts, bytes: bytesOf(head) });
  if (job.bytes > WHOLE_BYTES)
    job.outcome = {
      outcome: 'failed',
      retryable: false,
      reason: `what is beside its texts has ${job.bytes} bytes, and one document takes ${WHOLE_BYTES}`,
    };
  return job;
}

/** Of those that are written together the largest keep their texts apart, until all of them fit into one batch. */
export function fitted(jobs: readonly Job[]): readonly Job[] {
  const largestFirst = jobs.toSorted((one, other) => other.bytes - one.bytes);
  for (const job of largestFirst) {
    if (sum(jobs) <= BATCH_BYTES) break;
    spill(job);
  }
  const total = sum(jobs);
  if (total > BATCH_BYTES)
    for (const job of jobs)
      job.outcome ??= {
        outcome: 'failed',
        retryable: false,
        reason: `together they have ${total} bytes beside their texts, and one batch takes ${BATCH_BYTES}`,
      };
  return jobs;
}

export function groupsOf(jobs: readonly Job[]): Job[][] {
  const groups: Job[][] = [];
  let names = new Set<string>();
  let bytes = Infinity;
  for (const job of jobs) {
    const { id } = job.document;
    const last = groups.at(-1);
    // Who writes an entry twice in one call writes it once after the other.
    const fits = bytes + job.bytes <= BATCH_BYTES && names.size < WRITES_MAX && !names.has(id);
    if (last && fits) last.push(job);
    else {
      groups.push([job]);
      names = new Set();
      bytes = 0;
    }
    names.add(id);
    bytes += job.bytes;
  }
  return groups;
}

function sum(jobs: readonly Job[]): number {
  return jobs.reduce((total, { bytes }) => total + bytes, 0);
}

function bytesOf(document: EntryDocument): number {
  return Buffer.byteLength(JSON.stringify(document));
}
