/** Likeness by embeddings: the store tells the nearest where the container has a policy for them, else they are compared here. */
import { cosine } from '../../../model/embedding.ts';
import type { EntryFilter, Scored, SearchRequest } from '../../../ports/warm.ts';
import { Best } from '../../../runtime/best.ts';
import { hiddenUpTo } from './heads.ts';
import { addFilter, thereOf } from './query.ts';
import { getEntries } from './reading.ts';
import type { Call } from './requests.ts';
import { statusOf } from './trouble.ts';
import type { Ground } from './ground.ts';

/** Where embeddings stand in a document: what a vector policy names. */
export const EMBEDDING_PATH = '/embedding';

/** Embeddings that are read at once: 100 of 1,536 numbers are about 2 MB. */
const AT_ONCE = 100;

/** How many numbers the embeddings have that the container has an index for; asked for once. */
export class VectorPolicy {
  #known: { readonly dimensions: number | undefined } | undefined;

  async dimensions(call: Call): Promise<number | undefined> {
    if (!this.#known) {
      const vectors = (await call.definition())?.vectorEmbeddingPolicy?.vectorEmbeddings ?? [];
      const own = vectors.find(({ path }) => path === EMBEDDING_PATH);
      this.#known = { dimensions: own?.dimensions };
    }
    return this.#known.dimensions;
  }

  /** It has the policy and does not answer by it. */
  doWithout(): void {
    this.#known = { dimensions: undefined };
  }
}

export async function similarEntries(
  ground: Ground,
  policy: VectorPolicy,
  embedding: readonly number[],
  { limit, filter = {} }: SearchRequest,
): Promise<readonly Scored[]> {
  const { heads, partition } = ground;
  const to = Float32Array.from(embedding);
  for (;;) {
    const hidden = hiddenUpTo(heads.last(partition));
    const ids = await nearestOf(ground, policy, to, filter, limit);
    // As they stand now: what was written over meanwhile is scored anew, what is gone is left out.
    const found = await getEntries(ground, [...new Set(ids)], filter);
    if (hiddenUpTo(heads.last(partition)) !== hidden) continue;
    return found
      .flatMap((stored) => {
        const own = stored.entry.embedding;
        if (own?.length !== to.length) return [];
        return [{ ...stored, score: cosine(to, Float32Array.from(own)) }];
      })
      .toSorted((one, other) => other.score - one.score);
  }
}

async function nearestOf(
  ground: Ground,
  policy: VectorPolicy,
  to: Float32Array,
  filter: EntryFilter,
  limit: number,
): Promise<readonly string[]> {
  if ((await policy.dimensions(ground.call)) === to.length) {
    try {
      return await askedOfStore(ground, to, filter, limit);
    } catch (error) {
      if (statusOf(error) !== 400) throw error;
      policy.doWithout();
    }
  }
  return compared(ground, to, filter, limit);
}

async function askedOfStore(
  { call, heads, clock, partition }: Ground,
  to: Float32Array,
  filter: EntryFilter,
  limit: number,
): Promise<readonly string[]> {
  const there = addFilter(thereOf(clock.now(), hiddenUpTo(heads.last(partition))), filter)
    .add('ARRAY_LENGTH(c.embedding) = ?', to.length)
    // Should the client ever go by ranges of partitions, which hold others' documents too.
    .add('c.owner = ?', partition);
  const name = there.value([...to]);
  const found = await call.query<{ readonly memoryId: string }>(
    there.spec(
      (conditions) =>
        `SELECT TOP ${limit} c.entry.memoryId FROM c WHERE ${conditions} ORDER BY VectorDistance(c.embedding, ${name})`,
    ),
    { partition, pageSize: limit },
  );
  return found.map(({ memoryId }) => memoryId);
}

async function compared(
  { call, heads, clock, partition }: Ground,
  to: Float32Array,
  filter: EntryFilter,
  limit: number,
): Promise<readonly string[]> {
  const there = addFilter(thereOf(clock.now(), hiddenUpTo(heads.last(partition))), filter).add(
    'ARRAY_LENGTH(c.embedding) = ?',
    to.length,
  );
  const best = new Best<string>(limit);
  const pages = call.pages<{ readonly memoryId: string; readonly embedding: readonly number[] }>(
    there.spec((conditions) => `SELECT c.entry.memoryId, c.embedding FROM c WHERE ${conditions}`),
    { partition, pageSize: AT_ONCE },
  );
  for await (const page of pages)
    for (const { memoryId, embedding } of page)
      best.offer(memoryId, cosine(to, Float32Array.from(embedding)));
  return best.all();
}
