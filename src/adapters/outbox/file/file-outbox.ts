import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { UsageError } from '../../../model/errors.ts';
import { isoInstant } from '../../../model/instant.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Outbox, OutgoingMessage, Sent } from '../../../ports/outbox.ts';

const NEWLINE = 0x0a;

/** A folder that lists the file is on the disk once the file was synced; a new file's folder has to be synced itself. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder);
  await handle.sync().finally(() => handle.close());
}

/**
 * Messages as lines of JSON in a file: `{"key", "sent_at", …}`. A message is sent when its line is on the disk. The keys
 * are read at the start, so that none is written twice whatever died in between; half a line that a crash left behind is
 * cut off, for nobody was told that it was sent. One process at a time writes the file.
 */
export class FileOutbox implements Outbox {
  readonly #handle: FileHandle;
  readonly #lock: DatabaseSync;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #sent: Map<string, Sent>;
  #length: number;
  /** Something may stand behind `#length`. */
  #torn = false;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(
    handle: FileHandle,
    lock: DatabaseSync,
    clock: Pick<Clock, 'now'>,
    found: { readonly sent: Map<string, Sent>; readonly length: number },
  ) {
    this.#handle = handle;
    this.#lock = lock;
    this.#clock = clock;
    this.#sent = found.sent;
    this.#length = found.length;
  }

  /**
   * Opens the file, or makes it with its folder.
   * @throws UsageError while another process has it, or if it holds lines that are no messages of an outbox
   */
  static async open(path: string, clock: Pick<Clock, 'now'>): Promise<FileOutbox> {
    const file = resolve(path);
    await mkdir(dirname(file), { recursive: true });
    await using opened = new AsyncDisposableStack();
    const lock = opened.adopt(takeLock(file), (held) => held.close());
    const handle = opened.adopt(await open(file, 'a+', 0o600), (one) => one.close());
    const found = await readSent(handle, file);
    await handle.truncate(found.length);
    await handle.sync();
    await syncFolder(dirname(file));
    opened.move();
    return new FileOutbox(handle, lock, clock, found);
  }

  async send(message: OutgoingMessage, key: string, signal?: AbortSignal): Promise<Sent> {
    const mine = this.#last.then(() => this.#write(message, key, signal));
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  async sent(key: string): Promise<Sent | undefined> {
    await this.#last;
    return this.#sent.get(key);
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#handle.close();
    this.#lock.close();
  }

  async #write(message: OutgoingMessage, key: string, signal?: AbortSignal): Promise<Sent> {
    const before = this.#sent.get(key);
    if (before) return before;
    signal?.throwIfAborted();
    const at = this.#clock.now();
    const line = Buffer.from(`${JSON.stringify({ key, sent_at: isoInstant(at), ...message })}\n`);
    // What may stand there of one that failed must not become the beginning of this one.
    if (this.#torn) await this.#handle.truncate(this.#length);
    this.#torn = true;
    await this.#handle.appendFile(line);
    await this.#handle.sync();
    this.#torn = false;
    this.#length += line.length;
    const sent = { messageId: key, channel: message.channel, at };
    this.#sent.set(key, sent);
    return sent;
  }
}

/** SQLite's lock is the system's: it ends with its process however that dies; node has no call for one. */
function takeLock(file: string): DatabaseSync {
  const lock = new DatabaseSync(`${file}.lock`, { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    throw new UsageError(`${file} cannot be written: another process has it`, { cause: error });
  }
}

async function readSent(
  handle: FileHandle,
  file: string,
): Promise<{ sent: Map<string, Sent>; length: number }> {
  const sent = new Map<string, Sent>();
  let length = 0;
  let number = 0;
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of handle.createReadStream({ start: 0, autoClose: false })) {
    let bytes: Buffer = Buffer.concat([rest, chunk as Buffer]);
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE)) {
      number += 1;
      const line = readLine(bytes.subarray(0, end).toString());
      if (!line) throw new UsageError(`${file} is no outbox: line ${number} is no message of one`);
      sent.set(...line);
      length += end + 1;
      bytes = bytes.subarray(end + 1);
    }
    rest = bytes;
  }
  return { sent, length };
}

function readLine(text: string): [key: string, sent: Sent] | undefined {
  try {
    const line = JSON.parse(text) as Readonly<Record<string, unknown>> | null;
    const { key, sent_at: sentAt, channel } = line ?? {};
    if (typeof key !== 'string' || typeof sentAt !== 'string' || typeof channel !== 'string')
      return undefined;
    return [key, { messageId: key, channel, at: Date.parse(sentAt) }];
  } catch {
    return undefined;
  }
}
