/**
 * The head of an owner's partition. Every batch that writes entries holds one step on it, which fails where the owner's
 * erasures are not what the writer took them for: so nobody writes past an erasure, however early he began. The step
 * changes nothing that another writer asks for: two who write at once are in nobody's way.
 */
import type { OperationInput } from '@azure/cosmos';
import { HEAD_ID, type Head, type HeadDocument, RANK } from './document.ts';
import type { Call } from './requests.ts';
import { CHANGED } from './trouble.ts';

/** Where there is none. */
const NO_HEAD: Head = {
  revision: 0,
  erasedAt: null,
  forgetAt: null,
  unfinished: false,
  parts: false,
};

/** As it was seen last; `there` is undefined where nobody has looked. */
export interface SeenHead extends Head {
  readonly there: boolean | undefined;
}

/** Owners that are remembered. A head that is forgotten costs its owner's next writer one round trip at the most. */
const REMEMBERED = 10_000;

/** A head without an erasure that nobody has written by for so long goes; the next writer makes another one. */
const TTL_S = 30 * 86_400;

/** Every projection of a query that is to bring the head along. */
export const HEAD_FIELDS = 'c.rank, c.revision, c.erasedAt, c.forgetAt, c.unfinished, c.parts';

export class Heads {
  readonly #seen = new Map<string, SeenHead>();

  /** What is known of it without asking. */
  last(partition: string): SeenHead {
    return this.#seen.get(partition) ?? { ...NO_HEAD, there: undefined };
  }

  async read(call: Call, partition: string): Promise<SeenHead> {
    return this.note(partition, await call.read<HeadDocument>(partition, HEAD_ID));
  }

  /** @param head as an answer has it, or none */
  note(partition: string, head: Head | undefined): SeenHead {
    const { revision, erasedAt, forgetAt, unfinished, parts } = head ?? NO_HEAD;
    const there = head !== undefined;
    const seen = { revision, erasedAt, forgetAt, unfinished, parts, there };
    this.#seen.delete(partition);
    this.#seen.set(partition, seen);
    for (const oldest of this.#seen.keys()) {
      if (this.#seen.size <= REMEMBERED) break;
      this.#seen.delete(oldest);
    }
    return seen;
  }
}

/** Up to when entries are refused; undefined: none is. */
export function erasedUpTo(head: Head, now: number): number | undefined {
  const { erasedAt, forgetAt, unfinished } = head;
  const inForce = unfinished || (forgetAt ?? -Infinity) > now;
  return erasedAt !== null && inForce ? erasedAt : undefined;
}

/** Up to when entries that stand are seen by nobody; undefined: all are seen. */
export function hiddenUpTo({ erasedAt, unfinished }: Head): number | undefined {
  return unfinished && erasedAt !== null ? erasedAt : undefined;
}

/** The step of a batch that fails unless the head is as it was seen. */
export function guardOf(partition: string, head: SeenHead): OperationInput {
  if (head.there === false) {
    const { there: _none, ...fields } = head;
    return { operationType: 'Create', resourceBody: { ...headDocument(partition, fields, TTL_S) } };
  }
  return {
    operationType: 'Patch',
    id: HEAD_ID,
    resourceBody: {
      condition: `FROM c WHERE c.revision = ${head.revision}`,
      // A patch must change something; the time to live begins anew with it.
      operations: [{ op: 'incr', path: '/writes', value: 1 }],
    },
  };
}

function headDocument(
  partition: string,
  head: Head,
  ttl: number,
): HeadDocument & { readonly writes: number } {
  const entry = { key: '', timestamp: 0, importance: 0, step: 0 } as const;
  return { id: HEAD_ID, owner: partition, rank: RANK.head, ttl, writes: 0, ...head, entry };
}

/** Changes the head, whatever others make of it meanwhile. @param change gives the same to leave it */
export async function changeHead(
  call: Call,
  heads: Heads,
  partition: string,
  change: (head: Head) => Head,
  now: number,
): Promise<SeenHead> {
  for (let failures = 1; ; failures += 1) {
    const { there, ...seen } = await heads.read(call, partition);
    const wanted = change(seen);
    if (wanted === seen) return { ...seen, there };
    const next = { ...wanted, revision: seen.revision + 1 };
    const outcome = await call.batch(
      partition,
      [there ? replacement(seen, next, now) : creation(partition, next, now)],
      // What is read next shows it.
      async () => false,
    );
    if ('done' in outcome) return heads.note(partition, next);
    // Somebody else has changed it: it is read again.
    if (CHANGED.has(outcome.status)) await call.pause(failures, 'is written to by others');
    else await call.pauseOver(outcome, failures);
  }
}

function creation(partition: string, head: Head, now: number): OperationInput {
  return {
    operationType: 'Create',
    resourceBody: { ...headDocument(partition, head, ttlOf(head, now)) },
  };
}

function replacement(seen: Head, next: Head, now: number): OperationInput {
  const steps = Object.entries({ ...next, ttl: ttlOf(next, now) });
  return {
    operationType: 'Patch',
    id: HEAD_ID,
    resourceBody: {
      condition: `FROM c WHERE c.revision = ${seen.revision}`,
      operations: steps.map(([name, value]) => ({ op: 'set', path: `/${name}`, value })),
    },
  };
}

/** A tombstone outlives its time; one that is at work stays. */
function ttlOf({ unfinished, forgetAt, parts }: Head, now: number): number {
  if (unfinished || parts) return -1;
  return TTL_S + Math.max(0, Math.ceil(((forgetAt ?? now) - now) / 1_000));
}
