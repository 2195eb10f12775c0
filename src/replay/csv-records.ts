/**
 * Lines to records of CSV (RFC 4180).
 *
 * csv-parse knows quotes, but in a stream of its own one stray quote swallows the rest of the file, and a record
 * costs it 2 µs in bulk and 24 µs alone. So lines without a quote, nearly all, are split here; those with quotes are
 * gathered and given to it together; and a record whose quotes do not fit together costs its first line only.
 */
import { parse } from 'csv-parse/sync';

export interface CsvRecord {
  /** Line of the file on which the record begins; the first line is 1. */
  readonly line: number;
  /** Undefined: its quotes do not fit together, or it is too long. */
  fields: readonly string[] | undefined;
}

/** A record is at most this long: what goes on for longer is a quote that nobody closed, or no CSV at all. */
const RECORD_MAX = 65_536;
const RECORD_LINES_MAX = 100;

const NEWLINE = '\n';
const QUOTE = '"';

export class CsvRecords {
  /** What follows the last line break. */
  #rest = '';
  /** The rest belongs to a line that was given up. */
  #skipping = false;
  #columns: number | undefined;
  #line = 0;
  /** Lines of a record with an open quote. */
  #open: { readonly line: number; readonly text: string }[] = [];
  #openLength = 0;
  #openQuotes = 0;
  #records: CsvRecord[] = [];
  #quoted: { readonly record: CsvRecord; readonly text: string }[] = [];

  /** From the header on it is known: a record over several lines with another number was put together by stray quotes. */
  expectColumns(columns: number): void {
    this.#columns = columns;
  }

  /** Takes a piece of the file; gives the records that are complete with it. */
  push(text: string): readonly CsvRecord[] {
    const all = this.#rest + text;
    let from = 0;
    for (let to = all.indexOf(NEWLINE); to >= 0; to = all.indexOf(NEWLINE, from)) {
      this.#takeLine(all.slice(from, to));
      from = to + 1;
    }
    this.#rest = all.slice(from);
    if (this.#rest.length > RECORD_MAX) {
      if (!this.#skipping) this.#giveUpLine(this.#line + 1);
      this.#skipping = true;
      this.#rest = '';
    }
    return this.#takeRecords();
  }

  /** The file is over; gives what is left. */
  end(): readonly CsvRecord[] {
    if (this.#rest !== '') this.#takeLine(this.#rest);
    this.#rest = '';
    while (this.#open.length > 0) this.#giveUpOpen();
    return this.#takeRecords();
  }

  #takeLine(raw: string): void {
    this.#line += 1;
    if (this.#skipping) {
      this.#skipping = false;
    } else if (raw.length > RECORD_MAX) {
      this.#giveUpLine(this.#line);
    } else {
      this.#addLine(this.#line, raw.endsWith('\r') ? raw.slice(0, -1) : raw);
    }
  }

  #giveUpLine(line: number): void {
    while (this.#open.length > 0) this.#giveUpOpen();
    this.#records.push({ line, fields: undefined });
  }

  #addLine(line: number, text: string): void {
    const quotes = text.includes(QUOTE) ? text.split(QUOTE).length - 1 : 0;
    if (this.#open.length > 0) {
      this.#continue(line, text, quotes);
    } else if (quotes === 0) {
      if (text !== '') this.#records.push({ line, fields: text.split(',') });
    } else if (quotes % 2 === 0) {
      const record: CsvRecord = { line, fields: undefined };
      this.#records.push(record);
      this.#quoted.push({ record, text });
    } else {
      this.#open = [{ line, text }];
      this.#openLength = text.length;
      this.#openQuotes = quotes;
    }
  }

  #continue(line: number, text: string, quotes: number): void {
    this.#open.push({ line, text });
    this.#openLength += text.length + 1;
    this.#openQuotes += quotes;
    if (this.#openQuotes % 2 === 0) {
      const fields = parseRecords(this.#open.map((part) => part.text).join(NEWLINE))?.[0];
      const first = this.#open[0];
      if (fields && first && fields.length === (this.#columns ?? fields.length)) {
        this.#records.push({ line: first.line, fields });
        this.#open = [];
        return;
      }
    } else if (this.#openLength <= RECORD_MAX && this.#open.length <= RECORD_LINES_MAX) {
      return;
    }
    this.#giveUpOpen();
  }

  /** The quote was never closed, or closed by another record's: its line is bad, the lines after it stand again. */
  #giveUpOpen(): void {
    const [first, ...others] = this.#open;
    this.#open = [];
    if (first) this.#records.push({ line: first.line, fields: undefined });
    for (const { line, text } of others) this.#addLine(line, text);
  }

  #takeRecords(): readonly CsvRecord[] {
    const quoted = this.#quoted;
    if (quoted.length > 0) {
      const parsed = parseRecords(quoted.map(({ text }) => text).join(NEWLINE));
      const together = parsed?.length === quoted.length ? parsed : undefined;
      // One of them is broken: find out which.
      quoted.forEach(({ record, text }, index) => {
        record.fields = together ? together[index] : parseRecords(text)?.[0];
      });
      this.#quoted = [];
    }
    const records = this.#records;
    this.#records = [];
    return records;
  }
}

function parseRecords(text: string): string[][] | undefined {
  try {
    return parse(text, {
      relax_column_count: true,
      record_delimiter: NEWLINE,
      max_record_size: 0,
    });
  } catch {
    return undefined;
  }
}
