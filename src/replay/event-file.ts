import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { type Readable, pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { UsageError, errorMessage } from '../model/errors.ts';
import { type CsvRecord, CsvRecords } from './csv-records.ts';
import { type RowReader, acceptedHeaders, rowReaderFor } from './event-formats.ts';
import type { ShopEvent } from './shop-event.ts';
import { SortOnDisk } from './sort-on-disk.ts';

export interface EventFileOptions {
  /** Told now and then how much of the file has been read, in bytes as they lie on the disk. */
  readonly onProgress?: ((readBytes: number, totalBytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface BadRow {
  /** Line of the file on which the row begins; the header is line 1. */
  readonly line: number;
  readonly reason: string;
}

/** What reading the file has told so far. */
export interface EventFileReport {
  readonly events: number;
  readonly badRows: number;
  /** The first of them, 20 at most. */
  readonly firstBadRows: readonly BadRow[];
  /** Events that are earlier than an event before them in the file. */
  readonly late: number;
}

/** The rest is only counted: a file of another kind has a million bad rows. */
const BAD_ROWS_KEPT = 20;

/** Large enough that a piece costs little of itself, small enough that a bar moves. */
const PIECE_BYTES = 64 * 1_024;

/**
 * Opens a CSV file of shop events, plain or gzipped, and looks at its header; rows are read as a stream.
 *
 * @throws UsageError if there is no such file, or its header is none of ours
 */
export async function openEventFile(
  path: string,
  options: EventFileOptions = {},
): Promise<EventFile> {
  const { totalBytes, gzipped } = await examine(path);
  const file = new EventFile(path, totalBytes, gzipped, options);
  await file.readHeader();
  return file;
}

/** Reads the events of one file; see {@link openEventFile}. */
export class EventFile {
  readonly path: string;
  readonly #totalBytes: number;
  readonly #gzipped: boolean;
  readonly #options: EventFileOptions;
  #events = 0;
  #late = 0;
  #latestAt = 0;
  #badRows = 0;
  #firstBadRows: BadRow[] = [];

  constructor(path: string, totalBytes: number, gzipped: boolean, options: EventFileOptions) {
    this.path = path;
    this.#totalBytes = totalBytes;
    this.#gzipped = gzipped;
    this.#options = options;
  }

  /** Complete once the events have been read to the end. */
  get report(): EventFileReport {
    return {
      events: this.#events,
      badRows: this.#badRows,
      firstBadRows: this.#firstBadRows,
      late: this.#late,
    };
  }

  /** @throws UsageError if it is none of ours */
  async readHeader(): Promise<void> {
    for await (const _ of this.#rows()) return;
  }

  /** The events as the file has them, a batch for each piece that is read. Bad rows are left out and reported. */
  async *inFileOrder(): AsyncGenerator<readonly ShopEvent[], void> {
    this.#events = this.#late = this.#latestAt = this.#badRows = 0;
    this.#firstBadRows = [];
    for await (const { rows, read } of this.#rows()) {
      const events: ShopEvent[] = [];
      for (const { line, fields } of rows) {
        const event = fields ? read(fields) : 'broken quotes, or a row that is too long';
        if (typeof event === 'string') {
          this.#badRows += 1;
          if (this.#badRows <= BAD_ROWS_KEPT) this.#firstBadRows.push({ line, reason: event });
          continue;
        }
        if (event.at < this.#latestAt) this.#late += 1;
        else this.#latestAt = event.at;
        events.push(event);
      }
      this.#events += events.length;
      if (events.length > 0) yield events;
    }
  }

  /**
   * The events by time, those of the same instant as the file has them. The file is read to its end before the first is
   * given: files are hardly ever out of order, but to know it takes all of them.
   */
  async *byTime(): AsyncGenerator<ShopEvent, void> {
    using sorted = new SortOnDisk<ShopEvent>((one, other) => one.at - other.at);
    for await (const events of this.inFileOrder()) {
      for (const event of events) sorted.add(event);
    }
    yield* sorted.take();
  }

  async *#rows(): AsyncGenerator<{ rows: readonly CsvRecord[]; read: RowReader }, void> {
    const { signal, onProgress } = this.#options;
    const raw = createReadStream(this.path, { highWaterMark: PIECE_BYTES, signal });
    const decoder = new TextDecoder();
    const records = new CsvRecords();
    let read: RowReader | undefined;
    try {
      for await (const piece of this.#gzipped ? gunzip(raw) : raw) {
        let rows = records.push(decoder.decode(piece as Buffer, { stream: true }));
        if (!read && rows.length > 0) {
          read = this.#readerFor(rows[0], records);
          rows = rows.slice(1);
        }
        if (read) yield { rows, read };
        onProgress?.(raw.bytesRead, this.#totalBytes);
      }
    } catch (error) {
      if (signal?.aborted || error instanceof UsageError) throw error;
      throw new Error(`${this.path} cannot be read to its end: ${errorMessage(error)}`, {
        cause: error,
      });
    } finally {
      raw.destroy();
    }
    const last = [...records.push(decoder.decode()), ...records.end()];
    if (read) yield { rows: last, read };
    else yield { rows: last.slice(1), read: this.#readerFor(last[0], records) };
  }

  #readerFor(header: CsvRecord | undefined, records: CsvRecords): RowReader {
    const names = header?.fields;
    const read = names && rowReaderFor(names);
    if (!read) {
      const found = header ? 'its first line is no header of events' : 'it is empty';
      throw new UsageError(`${this.path}: ${found}; ${acceptedHeaders()}`);
    }
    records.expectColumns(names.length);
    return read;
  }
}

/** Says for a person which rows were left out. */
export function describeBadRows(path: string, report: EventFileReport): string[] {
  const lines = report.firstBadRows.map(({ line, reason }) => `${path}:${line}: ${reason}`);
  const more = report.badRows - report.firstBadRows.length;
  if (more > 0) lines.push(`${path}: ${more} more bad rows`);
  return lines;
}

function gunzip(raw: Readable): Readable {
  const gunzipped = createGunzip({ chunkSize: PIECE_BYTES });
  // Its errors come out of the end that is read.
  return pipeline(raw, gunzipped, () => undefined);
}

async function examine(path: string): Promise<{ totalBytes: number; gzipped: boolean }> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path);
    const stats = await handle.stat();
    if (!stats.isFile() && !stats.isDirectory())
      throw new UsageError(`${path} is no regular file: it is read twice, so a pipe will not do`);
    if (stats.isDirectory()) throw new UsageError(`${path} is a folder, not a file of events`);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    // The name may say .gz or not: the content knows.
    const gzipped = bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
    return { totalBytes: stats.size, gzipped };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    throw new UsageError(
      code === 'ENOENT'
        ? `${path} does not exist`
        : `${path} cannot be read: ${errorMessage(error)}`,
      { cause: error },
    );
  } finally {
    await handle?.close();
  }
}
