import type { Task } from './task.ts';

/** What is in hand of each subject, in the order in which it is to be handled: one at a time, the first of its line. */
export class Lines {
  readonly #lines = new Map<string, Task[]>();

  /** By their `sequence`, behind what is under way. @returns whether it is the first now */
  enter(task: Task): boolean {
    const line = this.#lines.get(task.line);
    if (!line) {
      this.#lines.set(task.line, [task]);
      return true;
    }
    const { sequence } = task.entry;
    const before = line.findIndex(
      (other) => other.stage === 'waiting' && other.entry.sequence > sequence,
    );
    line.splice(before === -1 ? line.length : before, 0, task);
    return line[0] === task;
  }

  /** @returns who is the first now, where that has changed */
  leave(task: Task): Task | undefined {
    const line = this.#lines.get(task.line) ?? [];
    const place = line.indexOf(task);
    if (place === -1) return undefined;
    line.splice(place, 1);
    if (line.length === 0) this.#lines.delete(task.line);
    return place === 0 ? line[0] : undefined;
  }

  isFirst(task: Task): boolean {
    return this.#lines.get(task.line)?.[0] === task;
  }

  /** All of the task's line, itself too. */
  of(task: Task): readonly Task[] {
    return this.#lines.get(task.line) ?? [];
  }
}
