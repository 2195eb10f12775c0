/**
 * An entry that is too large for one document keeps its texts in parts. They are written before the entry, under its new
 * version, and are nobody's until the entry names them: a writer that dies in between leaves parts and no half of an entry.
 * Whoever writes or removes such entries says so beforehand in `!open`; what he leaves is swept.
 */
import type { EntryDocument, EntryFields, OpenDocument, PartDocument, Texts } from './document.ts';
import { OPEN_PARTITION, RANK } from './document.ts';
import { Conditions } from './query.ts';
import type { Call } from './requests.ts';

/** Bytes of a part: as base64 1.6 MB, of the 2 MB that a document may have. */
const PART_BYTES = 1_200_000;

/** Parts that are removed at once. */
const AT_ONCE = 100;

/** The texts of an entry as parts, and its fields without them. */
export function spilled(document: EntryDocument & { readonly entry: { readonly texts: Texts } }): {
  readonly head: EntryDocument;
  readonly parts: readonly PartDocument[];
} {
  const { texts, ...fields } = document.entry;
  const bytes = Buffer.from(JSON.stringify(texts));
  const { id, owner, version, ttl } = document;
  const parts = Array.from(
    { length: Math.ceil(bytes.length / PART_BYTES) },
    (_none, number): PartDocument => ({
      id: `${id}!${version}!${number}`,
      owner,
      rank: RANK.part,
      of: id,
      version,
      number,
      ttl,
      bytes: bytes.subarray(number * PART_BYTES, (number + 1) * PART_BYTES).toString('base64'),
      entry: { timestamp: fields.timestamp },
    }),
  );
  const entry: EntryFields = { ...fields, parts: parts.length };
  return { head: { ...document, entry }, parts };
}

/** The texts of entries, by version; those whose parts are not all there are left out. */
export async function textsOf(
  call: Call,
  partition: string,
  documents: readonly EntryDocument[],
): Promise<ReadonlyMap<string, Texts>> {
  const texts = new Map<string, Texts>();
  for (const { version, entry } of documents) {
    if (entry.texts) texts.set(version, entry.texts);
    if (entry.parts === undefined) continue;
    const asked = new Conditions().add(`c.rank = ${RANK.part}`).add('c.version = ?', version);
    const found = await call.query<PartDocument>(
      asked.spec((conditions) => `SELECT * FROM c WHERE ${conditions}`),
      { partition },
    );
    if (found.length < entry.parts) continue;
    const sorted = found.toSorted((one, other) => one.number - other.number);
    const bytes = Buffer.concat(sorted.map((part) => Buffer.from(part.bytes, 'base64')));
    texts.set(version, JSON.parse(bytes.toString()) as Texts);
  }
  return texts;
}

/** Names of the parts of an entry as it stands under a version. */
export function partNames(name: string, version: string, count: number): string[] {
  return Array.from({ length: count }, (_none, number) => `${name}!${version}!${number}`);
}

export async function removeParts(
  call: Call,
  partition: string,
  names: readonly string[],
): Promise<void> {
  for (const name of names) await call.remove(partition, name);
}

/** Says that parts of an owner are written or removed. @returns what says that it is done */
export async function openParts(
  call: Call,
  partition: string,
  version: string,
  at: number,
): Promise<() => Promise<void>> {
  const id = `${partition}!parts!${version}`;
  const open: OpenDocument = { id, owner: OPEN_PARTITION, partition, what: 'parts', at };
  await call.upsert(open);
  return () => call.remove(OPEN_PARTITION, id);
}

/** Removes parts that no entry names. @returns how many went */
export async function sweepParts(call: Call, partition: string): Promise<number> {
  const query = (rank: number, list: string) =>
    call.query<{ readonly id: string; readonly of: string; readonly version: string }>(
      { query: `SELECT ${list} FROM c WHERE c.rank = ${rank}` },
      { partition, pageSize: 1_000 },
    );
  // Parts first: those of an entry that is written in between are none of these.
  const parts = await query(RANK.part, 'c.id, c.of, c.version');
  const named = new Set(
    (await query(RANK.entry, 'c.id, c.version')).map(({ id, version }) => `${id} ${version}`),
  );
  const left = parts.filter(({ of, version }) => !named.has(`${of} ${version}`));
  await removeParts(
    call,
    partition,
    left.slice(0, AT_ONCE).map(({ id }) => id),
  );
  return Math.min(left.length, AT_ONCE);
}
