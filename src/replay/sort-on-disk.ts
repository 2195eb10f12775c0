import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** How many items are sorted in memory at a time; events take some 200 bytes each. */
const DEFAULT_IN_MEMORY = 50_000;

/** Items of a sorted run that are read back at a time. */
const BLOCK_ITEMS = 200;

interface Block {
  readonly offset: number;
  readonly bytes: number;
}

/**
 * Sorts any number of items in bounded memory: sorted runs are set down in a temporary file and merged. What is equal
 * keeps its order. Items must be what JSON can hold. A number of items that fits in memory never sees the disk, and
 * the file has no name from the moment it is open, so that nothing is left behind however the process ends.
 */
export class SortOnDisk<T> implements Disposable {
  readonly #compare: (one: T, other: T) => number;
  readonly #inMemory: number;
  #items: T[] = [];
  readonly #runs: Block[][] = [];
  #file: number | undefined;
  #fileBytes = 0;
  #count = 0;

  constructor(compare: (one: T, other: T) => number, inMemory: number = DEFAULT_IN_MEMORY) {
    this.#compare = compare;
    this.#inMemory = inMemory;
  }

  /** How many items were added. */
  get count(): number {
    return this.#count;
  }

  add(item: T): void {
    this.#items.push(item);
    this.#count += 1;
    if (this.#items.length >= this.#inMemory) this.#setDown();
  }

  /** Gives all items in order; nothing can be added any more. */
  *take(): Generator<T, void> {
    if (this.#runs.length === 0) {
      yield* this.#items.sort(this.#compare);
      return;
    }
    if (this.#items.length > 0) this.#setDown();
    yield* merge(
      this.#runs.map((blocks) => this.#readBack(blocks)),
      this.#compare,
    );
  }

  [Symbol.dispose](): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
    this.#items = [];
  }

  #setDown(): void {
    this.#file ??= openUnnamed();
    const items = this.#items.sort(this.#compare);
    const run: Block[] = [];
    for (let from = 0; from < items.length; from += BLOCK_ITEMS) {
      const block = Buffer.from(JSON.stringify(items.slice(from, from + BLOCK_ITEMS)));
      let written = 0;
      while (written < block.length) {
        const at = this.#fileBytes + written;
        written += writeSync(this.#file, block, written, block.length - written, at);
      }
      run.push({ offset: this.#fileBytes, bytes: block.length });
      this.#fileBytes += block.length;
    }
    this.#runs.push(run);
    this.#items = [];
  }

  *#readBack(blocks: readonly Block[]): Generator<T, void> {
    for (const { offset, bytes } of blocks) {
      if (this.#file === undefined) throw new Error('the sorted items were disposed of');
      const block = Buffer.allocUnsafe(bytes);
      let read = 0;
      while (read < bytes) {
        const got = readSync(this.#file, block, read, bytes - read, offset + read);
        if (got === 0) throw new Error('the temporary file of a sort was cut short');
        read += got;
      }
      yield* JSON.parse(block.toString()) as T[];
    }
  }
}

function openUnnamed(): number {
  const directory = mkdtempSync(join(tmpdir(), 'rekindle-sort-'));
  try {
    return openSync(join(directory, 'runs'), 'wx+', 0o600);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Head<T> {
  item: T;
  /** Of two equal items that of the earlier run comes first. */
  readonly run: number;
  readonly rest: Iterator<T, void>;
}

/** Merges sorted runs by a binary heap of their first items. */
function* merge<T>(
  runs: readonly Iterator<T, void>[],
  compare: (one: T, other: T) => number,
): Generator<T, void> {
  const heap: Head<T>[] = [];
  const isBefore = (one: Head<T>, other: Head<T>): boolean => {
    const order = compare(one.item, other.item);
    return order < 0 || (order === 0 && one.run < other.run);
  };
  const sink = (from: number): void => {
    const sinking = heap[from];
    if (!sinking) return;
    let place = from;
    for (;;) {
      const left = heap[2 * place + 1];
      const right = heap[2 * place + 2];
      const child = left && right && isBefore(right, left) ? right : left;
      if (!child || !isBefore(child, sinking)) break;
      heap[place] = child;
      place = 2 * place + (child === left ? 1 : 2);
    }
    heap[place] = sinking;
  };

  runs.forEach((rest, run) => {
    const first = rest.next();
    if (!first.done) heap.push({ item: first.value, run, rest });
  });
  for (let place = heap.length >> 1; place >= 0; place -= 1) sink(place);

  for (let head = heap[0]; head; head = heap[0]) {
    yield head.item;
    const next = head.rest.next();
    if (!next.done) {
      head.item = next.value;
    } else {
      const last = heap.pop();
      if (last && last !== head) heap[0] = last;
    }
    sink(0);
  }
}
