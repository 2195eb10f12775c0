import { describe, expect, test } from 'vitest';
import type { Delivery } from '../../src/ports/bus.ts';
import { Task } from '../../src/rescue/task.ts';
import { Tasks } from '../../src/rescue/tasks.ts';
import { abandonedEvent } from '../support/sample-events.ts';

const never = (): Promise<never> => Promise.reject(new Error('nothing is settled here'));

function someTasks(count: number): Task[] {
  return Array.from({ length: count }, (_none, n) => {
    const delivery: Delivery = {
      event: abandonedEvent(n),
      attempt: 1,
      ...{ done: never, retry: never, defer: never, deadLetter: never, renew: never },
    };
    return new Task(delivery, 0);
  });
}

describe('the tasks in hand', () => {
  test.each([
    ['first', [0, 1, 2, 3]],
    ['last', [3, 2, 1, 0]],
    ['in the middle', [1, 2, 0, 3]],
  ])('whichever leaves first, the others stay: the %s', (_which, order) => {
    const all = someTasks(4);
    const tasks = new Tasks();
    for (const task of all) tasks.add(task);
    const left = new Set(all);
    for (const n of order) {
      tasks.delete(all[n]!);
      left.delete(all[n]!);
      expect(new Set(tasks)).toEqual(left);
      expect(tasks.size).toBe(left.size);
    }
  });

  test('one that has left does not leave again in the place of another', () => {
    const [one, other] = someTasks(2);
    const tasks = new Tasks();
    tasks.add(one!);
    tasks.delete(one!);
    tasks.add(other!);
    tasks.delete(one!);
    expect([...tasks]).toEqual([other]);
  });

  test('whoever goes through them meets each, though they leave meanwhile', () => {
    const all = someTasks(5);
    const tasks = new Tasks();
    for (const task of all) tasks.add(task);
    const met: Task[] = [];
    for (const task of tasks) {
      met.push(task);
      tasks.delete(task);
    }
    expect(met).toEqual(all);
    expect(tasks.size).toBe(0);
  });
});
