import type { Attributes, Entry } from '../../../model/entry.ts';
import type { StoredEntry } from '../../../ports/warm.ts';
import type { Bound } from '../../../runtime/sqlite-file.ts';
import type { Database, Row } from './database.ts';

/** Columns of the table `entry` but its version, in the order of `boundRow`. */
export const COLUMNS = [
  'owner',
  'id',
  'timestamp',
  'importance',
  'step',
  'type',
  'content',
  'payload',
  'attributes',
  'sources',
  'embedding',
  'retrievals',
  'created_at',
  'accessed_at',
  'expires_at',
] as const;

const MARKS = COLUMNS.map(() => '?').join(', ');

/** Writes `boundRow`. */
export const INSERT_ENTRY = `INSERT INTO entry (${COLUMNS.join(', ')}) VALUES (${MARKS})`;

/** What is read to give an entry. */
export const ENTRY = ['version', ...COLUMNS].map((column) => `entry.${column}`).join(', ');

export function boundRow(entry: Entry, expiresAt: number | undefined): Bound[] {
  const { metadata } = entry;
  return [
    entry.agentId,
    entry.memoryId,
    entry.timestamp,
    metadata.importanceScore,
    entry.stepNumber ?? null,
    entry.memoryType ?? null,
    entry.content,
    entry.payload ?? null,
    JSON.stringify(entry.attributes),
    JSON.stringify(entry.sources),
    entry.embedding ? new Uint8Array(Float32Array.from(entry.embedding).buffer) : null,
    metadata.retrievalCount,
    metadata.creationTime,
    metadata.lastAccessTime,
    expiresAt ?? null,
  ];
}

/** Whether a row stands as it was bound; of one with a blob it is not told. */
export function isAsBound(row: Row, bound: readonly Bound[]): boolean {
  return COLUMNS.every((column, index) => row[column] === bound[index]);
}

export function storedEntry(row: Row): StoredEntry {
  const embedding = row['embedding'];
  const payload = row['payload'];
  const type = row['type'];
  const step = row['step'];
  return {
    version: String(row['version']),
    entry: {
      memoryId: String(row['id']),
      agentId: String(row['owner']),
      timestamp: Number(row['timestamp']),
      content: String(row['content']),
      metadata: {
        compressionLevel: 1,
        importanceScore: Number(row['importance']),
        retrievalCount: Number(row['retrievals']),
        creationTime: Number(row['created_at']),
        lastAccessTime: Number(row['accessed_at']),
      },
      attributes: JSON.parse(String(row['attributes'])) as Attributes,
      sources: JSON.parse(String(row['sources'])) as string[],
      ...(embedding instanceof Uint8Array && { embedding: numbersOf(floatsOf(embedding)) }),
      ...(typeof payload === 'string' && { payload }),
      ...(typeof type === 'string' && { memoryType: type }),
      ...(typeof step === 'number' && { stepNumber: step }),
    },
  };
}

export function deleteRow(database: Database, version: number): void {
  database.run('DELETE FROM entry_text WHERE rowid = ?', [version]);
  database.run('DELETE FROM attribute WHERE entry = ?', [version]);
  database.run('DELETE FROM entry WHERE version = ?', [version]);
}

export function floatsOf(bytes: Uint8Array): Float32Array {
  // A view needs its bytes at a multiple of four, which a blob of SQLite has today; to copy it took as long as to compare.
  const { buffer, byteOffset, byteLength } =
    bytes.byteOffset % Float32Array.BYTES_PER_ELEMENT === 0 ? bytes : bytes.slice();
  return new Float32Array(buffer, byteOffset, byteLength / Float32Array.BYTES_PER_ELEMENT);
}

/** Spread over a list, 1,536 floats took 104 µs where this takes 7. */
function numbersOf(floats: Float32Array): number[] {
  const numbers = new Array<number>(floats.length);
  for (let i = 0; i < floats.length; i += 1) numbers[i] = floats[i] ?? 0;
  return numbers;
}
