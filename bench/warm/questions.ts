import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { COLUMNS, floatsOf } from '../../src/adapters/warm/sqlite/row.ts';
import type { SqliteWarm } from '../../src/adapters/warm/sqlite/sqlite-warm.ts';
import { wordOf } from '../../src/adapters/warm/sqlite/text-index.ts';
import { SeededRandom } from '../../src/demo/random.ts';
import { cosine } from '../../src/model/embedding.ts';
import type { StoredEntry } from '../../src/ports/warm.ts';
import { APART_MS, BEGAN_AT, FLOATS, OWNER, TOPICS, wordAt } from './load.ts';

/** A kind of query, through the port and as the SQL that gives the same answer. */
export interface Question {
  readonly name: string;
  /** How often it is asked in a run. */
  readonly times: number;
  /** @returns one to ask, another each time */
  readonly next: () => {
    readonly ours: () => Promise<readonly Pick<StoredEntry, 'version'>[]>;
    readonly bare: () => readonly Record<string, unknown>[];
  };
}

const PAGE = 20;
const TIMES = 400;

/** A query that goes over all entries with a word, of everybody. */
const TIMES_BY_TEXT = 100;

/** One goes over all vectors of the owner: they take long enough. */
const TIMES_OVER_ALL = 40;

const ENTRY = ['version', ...COLUMNS].map((column) => `entry.${column}`).join(', ');
const THERE = 'entry.owner = ? AND (entry.expires_at IS NULL OR entry.expires_at > ?)';

/** What both are asked; each has a connection of its own to the same file. */
export function questionsOf(
  warm: SqliteWarm,
  database: DatabaseSync,
  { own, now }: { own: number; now: number },
): Question[] {
  const random = new SeededRandom(2);
  // A page is full, in a small file too: the port fills one up with what fits less.
  const limit = Math.max(1, Math.min(PAGE, Math.floor(own / 10)));
  const prepared = (sql: string) => {
    const statement = database.prepare(sql);
    return (...values: SQLInputValue[]) => statement.all(...values);
  };
  const byTime = prepared(
    `SELECT ${ENTRY} FROM entry WHERE ${THERE} AND timestamp >= ? AND timestamp <= ? ORDER BY timestamp DESC, id DESC LIMIT ${limit}`,
  );
  const byAttribute = prepared(
    `SELECT ${ENTRY} FROM entry WHERE ${THERE} AND version IN (SELECT entry FROM attribute WHERE owner = ? AND name = ? AND kind = ? AND value = ?)
     ORDER BY timestamp DESC, id DESC LIMIT ${limit}`,
  );
  const byText = prepared(
    `SELECT ${ENTRY} FROM entry_text JOIN entry ON entry.version = entry_text.rowid
     WHERE entry_text MATCH ? AND ${THERE} ORDER BY bm25(entry_text, 0.0, 1.0), version DESC LIMIT ${limit}`,
  );
  let asked = new Float32Array(FLOATS);
  database.function('likeness', (bytes: SQLInputValue) =>
    bytes instanceof Uint8Array ? cosine(asked, floatsOf(bytes)) : null,
  );
  const byLikeness = prepared(
    `SELECT ${ENTRY} FROM entry WHERE ${THERE} AND length(embedding) = ? ORDER BY likeness(embedding) DESC LIMIT ${limit}`,
  );
  return [
    {
      name: 'by time',
      times: TIMES,
      next: () => {
        const from = BEGAN_AT + Math.floor(random.next() * own) * APART_MS;
        const to = from + 100 * APART_MS;
        return {
          ours: async () => {
            const filter = { timestamp: { from, to } };
            return (await warm.find(OWNER, filter, 'newest', { limit })).items;
          },
          bare: () => byTime(OWNER, now, from, to),
        };
      },
    },
    {
      name: 'by attribute',
      times: TIMES,
      next: () => {
        const topic = `topic-${Math.floor(random.next() * TOPICS)}`;
        return {
          ours: async () => {
            const filter = { attributes: [{ name: 'topic', equals: topic }] };
            return (await warm.find(OWNER, filter, 'newest', { limit })).items;
          },
          bare: () => byAttribute(OWNER, now, OWNER, 'topic', 'string', topic),
        };
      },
    },
    {
      name: 'by text',
      times: TIMES_BY_TEXT,
      next: () => {
        // Among the most frequent, so that there is a page of entries with both.
        const words = [wordAt(random.next() / 16), wordAt(random.next() / 16)];
        const quoted = [...new Set(words)].map((word) => `"${word}"`).join(' AND ');
        return {
          ours: () => warm.search(OWNER, words.join(' '), { limit }),
          bare: () => byText(`owner:${wordOf(OWNER)} AND content:(${quoted})`, OWNER, now),
        };
      },
    },
    {
      name: 'by similarity',
      times: TIMES_OVER_ALL,
      next: () => {
        const embedding = Array.from({ length: FLOATS }, () => random.next() - 0.5);
        return {
          ours: () => warm.similar(OWNER, embedding, { limit }),
          bare: () => {
            asked = Float32Array.from(embedding);
            return byLikeness(OWNER, now, asked.byteLength);
          },
        };
      },
    },
  ];
}

export interface Timed {
  readonly ours: readonly number[];
  readonly bare: readonly number[];
}

/** Asks both in turn, who is first changing too. @throws if they do not answer the same, or nothing at all */
export async function askBoth({ name, times, next }: Question): Promise<Timed> {
  const ours: number[] = [];
  const bare: number[] = [];
  let answered = 0;
  for (let time = 0; time < times; time += 1) {
    const question = next();
    const viaPort = async (): Promise<string> => {
      const startedAt = performance.now();
      const found = await question.ours();
      ours.push(performance.now() - startedAt);
      return found.map(({ version }) => version).join();
    };
    const viaSql = (): string => {
      const startedAt = performance.now();
      const rows = question.bare();
      bare.push(performance.now() - startedAt);
      return rows.map((row) => String(row['version'])).join();
    };
    const portFirst = time % 2 === 0;
    const early = portFirst ? await viaPort() : viaSql();
    const late = portFirst ? viaSql() : await viaPort();
    if (early !== late) {
      const [port, sql] = portFirst ? [early, late] : [late, early];
      throw new Error(`${name}: through the port ${port}, by SQL ${sql}`);
    }
    if (early !== '') answered += 1;
  }
  if (answered === 0) throw new Error(`${name}: no query found anything`);
  return { ours, bare };
}
