import { expect, test } from 'vitest';
import { trendOf } from '../../bench/soak/trend.ts';

const samples = (valueAt: (minute: number) => number) =>
  Array.from({ length: 21 }, (_none, index) => ({
    atMinutes: 5 + index / 6,
    value: valueAt(index / 6),
  }));

test('what stays where it is, is flat, whatever its noise', () => {
  const noisy = trendOf(
    'heap',
    'MB',
    samples((minute) => 30 + Math.sin(minute * 40)),
  );
  expect(noisy.flat).toBe(true);
  expect(noisy.mean).toBeCloseTo(30, 0);
});

test('what grows by a megabyte a minute is not', () => {
  const { perMinute, flat, from, to } = trendOf(
    'heap',
    'MB',
    samples((minute) => 30 + minute),
  );
  expect(perMinute).toBeCloseTo(1);
  expect(flat).toBe(false);
  expect(to - from).toBeCloseTo(20 / 6);
});

test('what shrinks grows nothing', () => {
  expect(
    trendOf(
      'keys',
      'keys',
      samples((minute) => 500 - 50 * minute),
    ).flat,
  ).toBe(true);
});

test('of a few samples nothing is said', () => {
  expect(trendOf('heap', 'MB', samples((minute) => 30 + minute).slice(0, 5)).flat).toBeNull();
});
