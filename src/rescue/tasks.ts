import type { Task } from './task.ts';

/**
 * All that is in hand, in no order. An array, not a `Set`: a set that has filled its table goes on in a new one, to which
 * the old one points. Once an old one is in old space, it keeps the next alive until the next full collection, and so all
 * that ever was in hand: 3 KB an event, which the young collections copy.
 */
export class Tasks implements Iterable<Task> {
  readonly #tasks: Task[] = [];

  get size(): number {
    return this.#tasks.length;
  }

  add(task: Task): void {
    task.place = this.#tasks.push(task) - 1;
  }

  delete(task: Task): void {
    if (this.#tasks[task.place] !== task) return;
    const last = this.#tasks.pop();
    if (!last || last === task) return;
    this.#tasks[task.place] = last;
    last.place = task.place;
  }

  /** Those that are in hand now, whoever leaves meanwhile. */
  [Symbol.iterator](): Iterator<Task> {
    return [...this.#tasks].values();
  }
}
